# shellcheck shell=bash
# What a person sees: progress, waits with a deadline, and errors that say where to look.

program=${program:-cluster}

say() { printf '%s: %s\n' "$program" "$*" >&2; }

fail() {
  say "error: $*"
  exit 1
}

# fail_with_log LOG MESSAGE…: the message, and the end of the log that explains it.
fail_with_log() {
  local log=$1
  shift
  if [[ -s $log ]]; then
    say "the last lines of $log:"
    tail -n 25 "$log" | cut -c 1-400 | sed 's/^/  | /' >&2
  fi
  fail "$* (log: $log)"
}

# with_heartbeat WHAT LOG COMMAND…: a long command, with a line every 20 seconds so that nobody takes it for stuck.
with_heartbeat() {
  local what=$1 log=$2 status=0 beat
  shift 2
  # The heart stops when the pipe closes: also when this script is killed outright. So the command must not hold it.
  exec {beat}> >(heart "$what")
  unlocked "$@" >"$log" 2>&1 {beat}>&- || status=$?
  exec {beat}>&-
  return "$status"
}

heart() {
  local what=$1 began=$SECONDS status
  while true; do
    status=0
    read -r -t 20 || status=$?
    ((status > 128)) || return 0
    say "… still $what ($((SECONDS - began)) s)"
  done
}

# wait_for SECONDS PROCESS WHAT COMMAND…: until the command succeeds, the process it depends on ends, or time is up.
wait_for() {
  local limit=$1 process=$2 what=$3 began=$SECONDS told=$SECONDS
  shift 3
  # In a subshell: a trap that fires meanwhile must not have its words thrown away too.
  until (unlocked "$@") >/dev/null 2>&1; do
    is_running "$process" || fail_with_log "$(log_of "$process")" "$process ended while we waited for $what"
    ((SECONDS - began < limit)) || fail_with_log "$(log_of "$process")" "waited $limit s for $what"
    if ((SECONDS - told >= 20)); then
      told=$SECONDS
      say "… still waiting for $what ($((SECONDS - began)) s of $limit)"
    fi
    sleep 0.2
  done
}

# One `up`, `down` or `build` at a time. The lock goes with this process, however it ends; what is started must not
# inherit it (`unlocked`), or a killed run's children would hold it on.
lock() {
  local file=$1 what=$2
  mkdir -p "$(dirname "$file")"
  exec {locked}>"$file"
  flock --nonblock "$locked" && return
  say "waiting for another run that holds $file ($what)"
  with_heartbeat "waiting for $file" /dev/null flock --timeout 3600 "$file" true || fail "$file was held for an hour"
  flock --timeout 60 "$locked" || fail "$file is held by another run"
}

unlock() {
  exec {locked}>&-
  unset locked
}

unlocked() {
  if [[ -n ${locked:-} ]]; then "$@" {locked}>&-; else "$@"; fi
}
