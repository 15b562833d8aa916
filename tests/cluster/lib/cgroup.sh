# shellcheck shell=bash
# The cgroup that all pods hang below: made for the kubelet, and the way to find every process of every container.

cgroup_hierarchies() { awk '$3 == "cgroup" || $3 == "cgroup2" { print $2 }' /proc/mounts; }

make_cgroups() {
  local hierarchy
  for hierarchy in $(cgroup_hierarchies); do
    mkdir -p "$hierarchy/$cgroup"
    share_processors "$hierarchy"
    delegate_controllers "$hierarchy"
  done
}

# cgroup v1: a new cpuset has no processors and no memory until they are given.
share_processors() {
  local hierarchy=$1 file
  for file in cpuset.cpus cpuset.mems; do
    if [[ -f $hierarchy/$file && -f $hierarchy/cgroup.procs && ! -f $hierarchy/cgroup.controllers ]]; then
      cat "$hierarchy/$file" >"$hierarchy/$cgroup/$file"
    fi
  done
}

# cgroup v2: a child has the controllers that its parent hands down.
delegate_controllers() {
  local hierarchy=$1 controller
  [[ -f $hierarchy/cgroup.controllers ]] || return 0
  for controller in $(<"$hierarchy/cgroup.controllers"); do
    echo "+$controller" >"$hierarchy/cgroup.subtree_control" 2>/dev/null || true
    echo "+$controller" >"$hierarchy/$cgroup/cgroup.subtree_control" 2>/dev/null || true
  done
}

end_containers() {
  local pid pids
  for _ in {1..100}; do
    pids=$(container_processes)
    [[ -n $pids ]] || return 0
    for pid in $pids; do kill -KILL "$pid" 2>/dev/null || true; done
    sleep 0.05
  done
  fail "processes of containers do not end: $pids"
}

container_processes() {
  local hierarchy
  for hierarchy in $(cgroup_hierarchies); do
    [[ -d $hierarchy/$cgroup ]] || continue
    find "$hierarchy/$cgroup" -name cgroup.procs -exec cat {} + 2>/dev/null
  done | sort -un
}

remove_cgroups() {
  local hierarchy
  for hierarchy in $(cgroup_hierarchies); do
    [[ -d $hierarchy/$cgroup ]] || continue
    remove_cgroup "$hierarchy/$cgroup"
  done
}

# A cgroup stays busy for a moment after its last process ended.
remove_cgroup() {
  local folder=$1
  for _ in {1..60}; do
    find "$folder" -depth -type d -exec rmdir {} + 2>/dev/null || true
    [[ -d $folder ]] || return 0
    sleep 0.05
  done
  fail "the cgroup $folder stays busy"
}
