# shellcheck shell=bash
# What a person sees, and what runs under it.

step=0
running=

step() {
  step=$((step + 1))
  step_began=$SECONDS
  printf '\n%d. %s\n' "$step" "$*"
}

detail() { printf '   %s\n' "$*"; }

took() { detail "($((SECONDS - step_began)) s)"; }

indented() { cut -c 1-200 | sed 's/^/  | /'; }

# quietly WHAT COMMAND…: with a sign of life every 20 seconds; what it prints is kept, and its end shown if it fails.
# (Only the command's own output goes to the log: a trap that fires meanwhile speaks to the person.)
quietly() {
  local what=$1 log=$logs/${1// /-}.log status=0 beat
  shift
  exec {beat}> >(unlocked heart "$what")
  run logged "$log" "$@" {beat}>&- || status=$?
  exec {beat}>&-
  ((status == 0)) || fail_with_log "$log" "failed: $what"
}

logged() {
  local log=$1
  shift
  "$@" >"$log" 2>&1
}

# run COMMAND…: in a process group of its own, in the background, so that a signal to this script is heeded at once
# and reaches all of what it waits for.
run() {
  local status=0
  set -m
  unlocked "$@" </dev/null &
  running=$!
  set +m
  wait "$running" || status=$?
  running=
  return "$status"
}

end_running() {
  [[ -n $running ]] || return 0
  kill -TERM -- "-$running" 2>/dev/null || return 0
  for _ in {1..300}; do
    kill -0 -- "-$running" 2>/dev/null || return 0
    sleep 0.1
  done
  kill -KILL -- "-$running" 2>/dev/null || true
}
