# shellcheck shell=bash
# The commands, as the user knows them.

cluster_build() {
  ! uses_current_cluster || return 0
  options "$@"
  lock "$cache/lock" "it compiles the cluster"
  build_binaries "$@"
  unlock
}

cluster_up() {
  local began
  ! uses_current_cluster || { say "CLUSTER=current: using the cluster of KUBECONFIG as it is" && return; }
  options "$@"
  need_root
  cluster_build "$@"
  began=$SECONDS
  lock "$run.lock" "it starts or stops the cluster $netns"
  trap 'interrupted' INT TERM
  clear_what_is_in_the_way
  bring_up "${1:-}"
  trap - INT TERM
  say "up in $((SECONDS - began)) s"
}

bring_up() {
  local with_node=true
  [[ ${1:-} != --no-node ]] || with_node=false
  claim
  make_network
  make_pki
  start_etcd
  start_api_server
  ! $with_node || start_container_runtime # importing the images needs no API server, which takes its time to start
  wait_for_api_server
  start_controllers
  ! $with_node || start_node
  wait_for_service_account
  touch "$run/up"
}

clear_what_is_in_the_way() {
  local other
  other=$(recorded_state)
  if [[ -n $other || -e /run/netns/$netns ]]; then
    say "clearing the cluster $netns that was here before${other:+ (state in $other)}"
    clear_cluster "$other"
  fi
  delete_state "$state"
}

interrupted() {
  trap '' INT TERM
  say "interrupted: clearing what was started"
  clear_cluster "$state"
  exit 130
}

cluster_down() {
  ! uses_current_cluster || return 0
  local recorded
  need_root
  lock "$run.lock" "it starts or stops the cluster $netns"
  recorded=$(recorded_state)
  if [[ -n $recorded && $recorded != "$state" ]]; then
    fail "the cluster $netns is another one's (state in $recorded); nothing of $state runs"
  fi
  clear_cluster "$state"
}

cluster_load() {
  [[ $# == 1 && -f $1 ]] || fail "load needs an image archive: cluster load FILE.tar"
  need_node
  load_image "$1"
}

cluster_image() {
  (($# >= 3)) || fail "usage: cluster image NAME ENTRYPOINT_JSON SOURCE=DEST…"
  need_node
  make_image "$@"
}

cluster_exec() {
  ! uses_current_cluster || exec "$@"
  need_cluster
  KUBECONFIG=$(kubeconfig_of admin) exec nsenter --net="/run/netns/$netns" "$@"
}

cluster_kubectl() {
  ! uses_current_cluster || exec kubectl "$@"
  need_cluster
  exec nsenter --net="/run/netns/$netns" "$(binary kubectl)" --kubeconfig "$(kubeconfig_of admin)" "$@"
}

cluster_kubeconfig() {
  if uses_current_cluster; then
    echo "${KUBECONFIG:-$HOME/.kube/config}"
  else
    need_cluster
    kubeconfig_of admin
  fi
}

cluster_status() {
  uses_current_cluster && exec kubectl get nodes
  need_cluster
  local record name
  echo "cluster $netns, state and logs in $state"
  for record in "$run"/processes/*; do
    name=$(basename "$record")
    if is_running "$name"; then echo "$name runs (process $(cut -d ' ' -f 1 "$record"))"; else echo "$name has ENDED"; fi
  done
  [[ -e $run/up ]] || fail "the cluster is not wholly up: a run of \`up\` is under way, failed or was killed"
  kubectl --request-timeout=5s get --raw /readyz >/dev/null || fail "the API server is not ready"
  kubectl --request-timeout=5s get nodes
}

# The record stays: `status` tells that it has ended, and `start` knows what it was.
cluster_kill() {
  local pid
  need_process "$@"
  pid=$(recorded_pid "$1")
  end "$pid"
}

cluster_start() {
  need_process "$@"
  lock "$run.lock" "it starts or stops the cluster $netns"
  ! is_running "$1" || fail "$1 runs already"
  start_again "$1"
}

cluster_pause() { signal_process STOP "$@"; }

cluster_resume() { signal_process CONT "$@"; }

signal_process() {
  local signal=$1 pid
  shift
  need_process "$@"
  pid=$(recorded_pid "$1")
  kill "-$signal" "$pid"
}

options() {
  [[ $# == 0 || ($# == 1 && $1 == --no-node) ]] || fail "unknown option: $* (there is only --no-node)"
}

need_root() {
  ((EUID == 0)) || fail "network namespaces and cgroups are root's: run it as root"
}

need_cluster() {
  [[ $(recorded_state) == "$state" && -e /run/netns/$netns ]] || fail "no cluster is up here: cluster up ($state, $netns)"
}

# need_process NAME: one of the cluster's own.
need_process() {
  ! uses_current_cluster || fail "CLUSTER=current: its processes are not ours to touch"
  need_root
  need_cluster
  [[ $# == 1 && -n $1 && $1 != */* && -e $run/processes/$1 ]] ||
    fail "which process? one of: $(cd "$run/processes" && echo *)"
}

need_node() {
  ! uses_current_cluster || fail "CLUSTER=current: load images with your cluster's own means"
  need_cluster
  is_running containerd || fail "the cluster $netns has no node to load images into"
}
