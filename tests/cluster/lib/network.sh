# shellcheck shell=bash
# The network namespace that the whole cluster lives in.

make_network() {
  ip netns add "$netns"
  inside ip link set lo up
  # The node's own address needs a device; not every kernel has a dummy one, every one has a bridge.
  inside ip link add node0 type bridge
  inside ip addr add "$node_ip/32" dev node0
  inside ip link set node0 up
  inside ip route add default dev node0 # services have an address that only nftables knows; it must route somewhere
  inside sysctl -qw net.ipv4.ip_forward=1
}

remove_network() {
  [[ -e /run/netns/$netns ]] || return 0
  ip netns del "$netns" 2>/dev/null || rm -f "/run/netns/$netns" # no mount on it: `ip netns add` was killed half-way
}

# `ip netns exec` would hide the cgroups (see `start`).
inside() { nsenter --net="/run/netns/$netns" "$@"; }
