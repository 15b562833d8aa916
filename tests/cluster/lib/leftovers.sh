# shellcheck shell=bash
# Clearing a cluster away, whether it was brought down or its run was killed half-way, here or in another clone. One way
# for all of them, so that it is well trodden: nothing is asked of the cluster's own components.

# The state folder of the cluster that holds our name; nothing if none does.
recorded_state() { readlink "$short" || true; }

claim() {
  mkdir -p "$run/processes" "$run/commands" "$state/log"
  touch "$state/$state_mark"
  ln -sfn "$state" "$short"
}

# What makes a folder ours to delete: CLUSTER_STATE=/home must not.
state_mark=.flyte-dataservice-cluster

clear_cluster() {
  local folder=$1
  end_recorded_processes
  end_containers
  end_unrecorded_processes
  [[ -z $folder ]] || clear_files "$folder"
  remove_cgroups
  remove_network
  restore_sysctls
  rm -rf "$run"
}

clear_files() {
  local folder=$1
  remove_shim_sockets "$folder"
  unmount_below "$folder"
  remove_network_results "$folder"
  remove_log_links "$folder"
  delete_state "$folder"
}

# containerd keeps its shims' sockets in a folder that it shares with every other containerd.
remove_shim_sockets() {
  local folder=$1 file socket
  for file in "$folder"/containerd/state/io.containerd.runtime.v2.task/*/*/bootstrap.json; do
    [[ -f $file ]] || continue
    socket=$(sed -n 's,.*"address": *"unix://\([^"]*\)".*,\1,p' "$file")
    case $socket in /run/containerd/s/?*) rm -f "$socket" ;; esac
  done
}

unmount_below() {
  local folder=$1 target
  findmnt --noheadings --list --output TARGET | tac | while IFS= read -r target; do
    case $target in "$folder"/*) umount --lazy "$target" ;; esac
  done
  # Deleting through a mount that stayed would delete what is mounted.
  ! findmnt --noheadings --list --output TARGET | grep -qF "$folder/" || fail "mounts stay below $folder"
}

# What each pod's network was made of, kept by containerd's CNI library in a folder that is everybody's.
remove_network_results() {
  grep --no-messages --files-with-matches --recursive --fixed-strings "\"netns\":\"$1/" /var/lib/cni/results |
    xargs --no-run-if-empty --delimiter='\n' rm -f || true
}

# The kubelet names each container's log here for log collectors.
remove_log_links() {
  [[ ! -d /var/log/containers ]] || find /var/log/containers -lname "$1/*" -delete
}

delete_state() {
  local folder=$1
  [[ -e $folder ]] || return 0
  [[ -e $folder/$state_mark ]] || fail "$folder exists and is not a cluster's state: it is left alone (see CLUSTER_STATE)"
  rm -rf --one-file-system "$folder"
}

restore_sysctls() {
  [[ ! -s $run/sysctls ]] || sysctl -q -p "$run/sysctls" >/dev/null 2>&1 || true
}
