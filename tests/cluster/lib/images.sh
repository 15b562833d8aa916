# shellcheck shell=bash
# Images: made of local files and imported; nothing is ever pulled.

ctr() { "$(binary ctr)" --address "$containerd_socket" --namespace k8s.io "$@"; }

load_image() {
  local archive=$1 log
  log=$(log_of images)
  unlocked ctr images import --local "$archive" >>"$log" 2>&1 || fail_with_log "$log" "failed to import $archive"
}

# make_image NAME ENTRYPOINT_JSON SOURCE=DEST…
make_image() {
  local archive
  archive=$(mktemp "$state/image.XXXXXX.tar")
  python3 "$here/oci_image.py" "$archive" "$@" || fail "failed to make the image $1"
  load_image "$archive"
  rm -f "$archive"
}

# What the kubelet needs for every pod, what resolves names, and a shell for tests.
load_base_images() {
  gcc -Os -static -o "$state/pause" "$here/pause.c" || fail "failed to compile pause.c"
  make_image localhost/pause:1 '["/pause"]' "$state/pause=pause"
  make_image localhost/coredns:1 '["/coredns"]' "$(binary coredns)=coredns"
  make_busybox_image
}

make_busybox_image() {
  local busybox applets
  busybox=$(command -v busybox)
  mapfile -t applets < <("$busybox" --list | grep -vx busybox | sed 's,.*,-busybox=bin/&,')
  make_image localhost/busybox:1 '["/bin/sh"]' "$busybox=bin/busybox" tmp/ "${applets[@]}"
}
