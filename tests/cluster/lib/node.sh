# shellcheck shell=bash
# The node: containerd, kubelet, kube-proxy and the cluster's DNS.

start_container_runtime() {
  mkdir -p "$state"/{containerd,cni}
  write_pod_network
  write_containerd_config
  start containerd "$(binary containerd)" --config "$state/containerd/config.toml"
  wait_for 60 containerd "containerd" ctr --connect-timeout 1s version
  load_base_images
}

start_node() {
  write_kubelet_config
  write_proxy_config
  make_cgroups
  remember_sysctls
  start kubelet "$(binary kubelet)" --config "$state/kubelet/config.yaml" --kubeconfig "$(kubeconfig_of kubelet)" \
    --hostname-override node0 --node-ip "$node_ip" --root-dir "$short/kubelet/root" --cert-dir "$state/kubelet/pki"
  start kube-proxy "$(binary kube-proxy)" --config "$state/kubelet/proxy.yaml"
  kubectl apply -f "$here/coredns.yaml" >"$(log_of coredns)" 2>&1 ||
    fail_with_log "$(log_of coredns)" "failed to apply coredns.yaml"
  wait_for 120 kubelet "the node to be Ready" kubectl wait --for=condition=Ready node/node0 --timeout=2s
  wait_for 120 kubelet "CoreDNS" kubectl -n kube-system wait --for=condition=Available deployment/coredns --timeout=2s
}

# A link of its own between each pod and the node: on a common bridge, a reply from a service's pod could go straight to
# its client with the pod's address, past kube-proxy, unless the kernel has br_netfilter.
write_pod_network() {
  cat >"$state/cni/10-pods.conflist" <<JSON
{"cniVersion": "1.0.0", "name": "$cgroup", "plugins": [
  {"type": "ptp", "ipam": {"type": "host-local", "dataDir": "$state/cni/addresses",
    "ranges": [[{"subnet": "$pod_range"}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}
JSON
}

write_containerd_config() {
  local plugins=/usr/lib/cni # Debian's; everybody else's is:
  [[ -x $plugins/ptp ]] || plugins=/opt/cni/bin
  cat >"$state/containerd/config.toml" <<TOML
version = 3
root = "$state/containerd/root"
state = "$state/containerd/state"
[grpc]
  address = "$containerd_socket"
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "localhost/pause:1"
[plugins.'io.containerd.cri.v1.runtime']
  # Below the state folder instead of /run/netns, so that they are found and cleared with it.
  netns_mounts_under_state_dir = true
[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ["$plugins"]
  conf_dir = "$state/cni"
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
    BinaryName = "$(runc)"
    Root = "$state/containerd/runc"
TOML
}

# The CRI asks for negative oom_score_adj values, which take CAP_SYS_RESOURCE (bit 24); in a container there may be none.
runc() {
  local capabilities
  capabilities=$(awk '$1 == "CapEff:" { print $2 }' /proc/self/status)
  if ((0x$capabilities >> 24 & 1)); then command -v runc; else echo "$here/runc-without-sys-resource"; fi
}

write_kubelet_config() {
  mkdir -p "$state/kubelet"
  : >"$state/kubelet/resolv.conf" # there is no DNS outside
  cat >"$state/kubelet/config.yaml" <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: "unix://$containerd_socket"
cgroupDriver: cgroupfs
cgroupRoot: /$cgroup
failCgroupV1: false
enforceNodeAllocatable: []
failSwapOn: false
# Only this network namespace reaches it.
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
clusterDNS: [$dns_ip]
clusterDomain: cluster.local
resolvConf: "$state/kubelet/resolv.conf"
podLogsDir: "$state/kubelet/logs"
volumePluginDir: "$state/kubelet/plugins"
maxPods: 500
# Images cannot be pulled again, and the disk is not ours alone: never collect, evict only at the very end.
imageGCHighThresholdPercent: 100
evictionHard: {memory.available: 100Mi, nodefs.available: 1%, imagefs.available: 1%}
YAML
}

write_proxy_config() {
  cat >"$state/kubelet/proxy.yaml" <<YAML
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
clientConnection: {kubeconfig: "$(kubeconfig_of kube-proxy)"}
hostnameOverride: node0
conntrack: {maxPerCore: 0} # the limit is the whole machine's
YAML
}

# The kubelet sets these for the whole machine; `down` puts them back.
remember_sysctls() {
  sysctl vm.overcommit_memory vm.panic_on_oom kernel.panic kernel.panic_on_oops \
    kernel.keys.root_maxkeys kernel.keys.root_maxbytes >"$run/sysctls" 2>/dev/null || true
}
