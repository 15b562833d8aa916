# shellcheck shell=bash disable=SC2034  # read by the other parts
# Names, folders and addresses.

# Root's PATH lacks these after a plain `su`; containerd and the kubelet look for mount, nft and conntrack in it.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

netns=${CLUSTER_NETNS:-dscluster}
state=$(realpath -m "${CLUSTER_STATE:-$here/.state}")
cache=${XDG_CACHE_HOME:-$HOME/.cache}/flyte-dataservice/cluster

# What must be found again without the state folder (another clone's, perhaps deleted): who holds the name, and which
# processes are its. Under /run, because a process id means nothing after a reboot.
run=/run/flyte-dataservice/cluster/$netns

# The state folder by a short name: a Unix socket's path has at most 107 characters, and clones lie deep.
short=$run/state
containerd_socket=$short/containerd/containerd.sock

# Pods hang below a cgroup of our own. Below the default root, the kubelet would take the pods of any other kubelet on
# this machine for orphans, and end them.
cgroup=flyte-dataservice-$netns

# 198.18.0.0/15 is for benchmarking (RFC 2544) and never routed: what escapes by mistake reaches nobody.
node_ip=198.18.0.1
pod_range=198.18.4.0/22
service_range=198.19.0.0/16
kubernetes_service_ip=198.19.0.1
dns_ip=198.19.0.10
api_server=https://$node_ip:6443

uses_current_cluster() { [[ ${CLUSTER:-} == current ]]; }
