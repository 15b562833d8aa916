# shellcheck shell=bash
# The binaries: compiled from the pinned modules, once per machine.

# name, module folder, package
binaries="
etcd                    kubernetes  go.etcd.io/etcd/server/v3
kube-apiserver          kubernetes  k8s.io/kubernetes/cmd/kube-apiserver
kube-controller-manager kubernetes  k8s.io/kubernetes/cmd/kube-controller-manager
kube-scheduler          kubernetes  k8s.io/kubernetes/cmd/kube-scheduler
kubectl                 kubernetes  k8s.io/kubernetes/cmd/kubectl
kubelet                 kubernetes  k8s.io/kubernetes/cmd/kubelet
kube-proxy              kubernetes  k8s.io/kubernetes/cmd/kube-proxy
containerd              containerd  github.com/containerd/containerd/v2/cmd/containerd
containerd-shim-runc-v2 containerd  github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2
ctr                     containerd  github.com/containerd/containerd/v2/cmd/ctr
coredns                 coredns     github.com/coredns/coredns
"
control_plane_binaries="etcd kube-apiserver kube-controller-manager kube-scheduler kubectl"

binary() {
  local name=$1
  if [[ -n ${KUBEBUILDER_ASSETS:-} && -x $KUBEBUILDER_ASSETS/$name ]] && may_be_given "$name"; then
    echo "$KUBEBUILDER_ASSETS/$name"
  else
    echo "$(module_cache "$(column 2 "$name")")/$name"
  fi
}

# What setup-envtest puts there; anything else in that folder is not for us.
may_be_given() { [[ " kube-apiserver etcd kubectl " == *" $1 "* ]]; }

column() { awk -v column="$1" -v name="$2" '$1 == name { print $column }' <<<"$binaries"; }

# A folder for each content of a module's go.mod and go.sum and way to build it: a change never meets older binaries,
# and leaves the other modules' alone.
module_cache() {
  local module=$1 hash
  hash=$({ go_flags "$module"; cat "$here/$module/go.mod" "$here/$module/go.sum"; } | sha256sum | cut -c 1-16)
  echo "$cache/$module-$hash"
}

# One a line.
go_flags() {
  local module=$1
  echo -trimpath
  case $module in
    # The binaries refuse to start without a version.
    kubernetes) echo "-ldflags=-s -w -X k8s.io/component-base/version.gitVersion=$(kubernetes_version)" ;;
    containerd) printf '%s\n' -ldflags="-s -w" -tags=no_btrfs,no_zfs,no_devmapper ;;
    *) echo "-ldflags=-s -w" ;;
  esac
}

kubernetes_version() { awk '$1 == "require" && $2 == "k8s.io/kubernetes" { print $3 }' "$here/kubernetes/go.mod"; }

build_binaries() {
  local names missing=() name began=$SECONDS done=0
  names=$(if [[ ${1:-} == --no-node ]]; then echo "$control_plane_binaries"; else awk 'NF { print $1 }' <<<"$binaries"; fi)
  for name in $names; do [[ -x $(binary "$name") ]] || missing+=("$name"); done
  ((${#missing[@]})) || return 0
  command -v go >/dev/null || fail "Go is needed to compile the cluster and is not in the PATH"
  say "compiling ${#missing[@]} binaries of Kubernetes $(kubernetes_version) and its parts into $cache"
  say "with an empty Go cache all of it takes 10 to 15 minutes on two cores and 4 GB of disk; it is done once per machine"
  for name in "${missing[@]}"; do
    done=$((done + 1))
    build_binary "$name" "$done of ${#missing[@]}"
  done
  say "compiled in $((SECONDS - began)) s"
}

# Built beside its place and moved into it: a killed build leaves nothing that could pass for a binary.
build_binary() {
  local name=$1 position=$2 module package target log flags began=$SECONDS cgo=0
  module=$(column 2 "$name") package=$(column 3 "$name")
  target=$(module_cache "$module")/$name log=$cache/build-$name.log
  mapfile -t flags < <(go_flags "$module")
  [[ $module == kubernetes ]] && cgo=1
  mkdir -p "$(dirname "$target")"
  say "compiling $name ($position)"
  with_heartbeat "compiling $name" "$log" \
    env -C "$here/$module" CGO_ENABLED=$cgo GOFLAGS=-mod=readonly go build "${flags[@]}" -o "$target.unfinished" "$package" ||
    fail_with_log "$log" "failed to compile $name"
  mv "$target.unfinished" "$target"
  say "compiled $name in $((SECONDS - began)) s"
}
