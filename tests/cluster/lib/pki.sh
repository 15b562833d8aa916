# shellcheck shell=bash
# Who is who: a certificate authority, the API server's certificate, a token and a kubeconfig for each component.

# name of the kubeconfig, user, group
users="
admin              admin
controller-manager system:kube-controller-manager
scheduler          system:kube-scheduler
kubelet            system:node:node0              system:nodes
kube-proxy         system:kube-proxy
"

make_pki() {
  mkdir -p "$state/pki"
  make_authority
  make_serving_certificate
  openssl genrsa -out "$state/pki/service-accounts.key" 2048 2>>"$(log_of openssl)"
  make_kubeconfigs
}

make_authority() {
  certificate ca -subj "/CN=$netns" \
    -addext basicConstraints=critical,CA:true -addext keyUsage=critical,keyCertSign,cRLSign
}

make_serving_certificate() {
  local names=DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local
  names+=,DNS:localhost,IP:127.0.0.1,IP:$node_ip,IP:$kubernetes_service_ip
  certificate apiserver -subj /CN=kube-apiserver -CA "$state/pki/ca.crt" -CAkey "$state/pki/ca.key" \
    -addext basicConstraints=critical,CA:false -addext extendedKeyUsage=serverAuth -addext "subjectAltName=$names"
}

certificate() {
  local name=$1
  shift
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -config /dev/null \
    -keyout "$state/pki/$name.key" -out "$state/pki/$name.crt" "$@" 2>>"$(log_of openssl)" ||
    fail_with_log "$(log_of openssl)" "failed to make the certificate $name"
}

make_kubeconfigs() {
  local name user group token
  while read -r name user group; do
    [[ -n $name ]] || continue
    [[ $name != admin ]] || group=system:masters
    token=$(openssl rand -hex 16)
    echo "$token,$user,$user,$group" >>"$state/pki/tokens.csv"
    write_kubeconfig "$name" "$token"
  done <<<"$users"
}

kubeconfig_of() { echo "$state/$1.kubeconfig"; }

write_kubeconfig() {
  local name=$1 token=$2
  cat >"$(kubeconfig_of "$name")" <<YAML
apiVersion: v1
kind: Config
clusters:
- name: $netns
  cluster:
    server: $api_server
    certificate-authority-data: $(base64 -w 0 "$state/pki/ca.crt")
users:
- name: $name
  user:
    token: $token
contexts:
- name: $netns
  context:
    cluster: $netns
    user: $name
current-context: $netns
YAML
}
