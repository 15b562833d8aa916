# shellcheck shell=bash
# etcd, the API server, the controllers and the scheduler.

wait_for_api_server() {
  wait_for 120 kube-apiserver "the API server" kubectl --request-timeout=2s get --raw /readyz
}

# Pods are refused until the controllers have made this.
wait_for_service_account() {
  wait_for 60 kube-controller-manager "the default service account" \
    kubectl --request-timeout=2s -n default get serviceaccount default
}

start_etcd() {
  mkdir -m 700 "$state/etcd" # etcd refuses one that others can read
  # Nothing here outlives the machine: syncing to disk would only cost time.
  start etcd "$(binary etcd)" --data-dir "$state/etcd" --unsafe-no-fsync --log-level warn \
    --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
    --listen-peer-urls http://127.0.0.1:2380
}

# Feature gates, --runtime-config and admission plugins are left at Kubernetes' defaults: what works here must work for
# users. /metrics (the admission histograms among it) is served by default.
start_api_server() {
  local pki=$state/pki
  start kube-apiserver "$(binary kube-apiserver)" --etcd-servers http://127.0.0.1:2379 \
    --advertise-address "$node_ip" --service-cluster-ip-range "$service_range" \
    --cert-dir "$pki" --tls-cert-file "$pki/apiserver.crt" --tls-private-key-file "$pki/apiserver.key" \
    --authorization-mode Node,RBAC --token-auth-file "$pki/tokens.csv" --allow-privileged \
    --service-account-issuer https://kubernetes.default.svc \
    --service-account-key-file "$pki/service-accounts.key" \
    --service-account-signing-key-file "$pki/service-accounts.key" \
    --kubelet-preferred-address-types InternalIP
}

# One of each, so there is nobody to elect a leader against.
start_controllers() {
  start kube-controller-manager "$(binary kube-controller-manager)" --kubeconfig "$(kubeconfig_of controller-manager)" \
    --use-service-account-credentials --service-account-private-key-file "$state/pki/service-accounts.key" \
    --root-ca-file "$state/pki/ca.crt" --leader-elect=false
  start kube-scheduler "$(binary kube-scheduler)" --kubeconfig "$(kubeconfig_of scheduler)" --leader-elect=false
}

kubectl() { inside "$(binary kubectl)" --kubeconfig "$(kubeconfig_of admin)" "$@"; }
