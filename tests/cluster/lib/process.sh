# shellcheck shell=bash
# Processes: started in the cluster's network, recorded, and ended by their record.

log_of() { echo "$state/log/$1.log"; }

# start NAME COMMAND…
start() {
  local name=$1
  shift
  printf '%s\0' "$@" >"$run/commands/$name"
  # In a session of its own, so that Ctrl-C in the terminal does not reach it.
  # `ip netns exec` would remount /sys and hide the cgroups from the kubelet; nsenter does not.
  unlocked_start "$(log_of "$name")" nsenter --net="/run/netns/$netns" setsid "$@"
  echo "$! $(birth "$!")" >"$run/processes/$name"
}

# start_again NAME: by the command line that it was started with.
start_again() {
  local name=$1 command
  mapfile -d '' -t command <"$run/commands/$name"
  start "$name" "${command[@]}"
}

# A simple command in the background, so that `$!` is the process itself and not a shell around it.
unlocked_start() {
  local log=$1
  shift
  if [[ -n ${locked:-} ]]; then
    "$@" >>"$log" 2>&1 </dev/null {locked}>&- &
  else
    "$@" >>"$log" 2>&1 </dev/null &
  fi
}

# When a process started, in clock ticks since boot: with its id, this is who it is. Nothing if it is gone or a zombie.
birth() {
  local stat fields
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
  read -ra fields <<<"${stat##*) }" # the name before may hold blanks
  [[ ${fields[0]} == Z ]] || echo "${fields[19]}"
}

is_running() {
  local pid born
  read -r pid born 2>/dev/null <"$run/processes/$1" || return 1
  [[ -n $born && $(birth "$pid") == "$born" ]]
}

# recorded_pid NAME: of that process, if it is still the one that was recorded.
recorded_pid() {
  local name=$1 pid _
  is_running "$name" || fail "$name does not run"
  read -r pid _ <"$run/processes/$name"
  echo "$pid"
}

# Ended outright: its state is about to be deleted, and what a kubelet or containerd leaves behind is cleared in the same
# way as after a crash.
end_recorded_processes() {
  local record pid born
  for record in "$run"/processes/*; do
    read -r pid born 2>/dev/null <"$record" || continue
    [[ -n $born && $(birth "$pid") == "$born" ]] && end "$pid"
    rm -f "$record"
  done
}

# What could not be recorded: containerd's shims, and a process whose starter was killed before it could write. They are
# known by their network and by the file they run.
end_unrecorded_processes() {
  local pid
  [[ -e /run/netns/$netns ]] || return 0
  for pid in $(ip netns pids "$netns"); do
    is_our_binary "$(readlink "/proc/$pid/exe" || true)" && end "$pid"
  done
  return 0
}

is_our_binary() {
  local path=${1% (deleted)}
  case $path in
    */flyte-dataservice/cluster/*) return 0 ;;
    "${KUBEBUILDER_ASSETS:-/nowhere}"/*) may_be_given "$(basename "$path")" ;;
    *) return 1 ;;
  esac
}

end() {
  local pid=$1
  kill -KILL "$pid" 2>/dev/null || return 0
  for _ in {1..100}; do
    [[ -n $(birth "$pid") ]] || return 0
    sleep 0.05
  done
  fail "process $pid ($(tr '\0' ' ' <"/proc/$pid/cmdline" | cut -c 1-80)) does not end"
}
