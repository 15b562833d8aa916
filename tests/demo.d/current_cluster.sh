# shellcheck shell=bash disable=SC2154  # logs, webhook: the demo
# The user's cluster: nothing in it is touched but what the demo has made.

prepare_current_cluster() {
  need_answer
  need_images
  step "Building the demo"
  # With the features of `make build`, so that nothing is compiled twice.
  quietly "building the demo" cargo build --release --locked --workspace --all-features --bin demo
  took
  install_into_current_cluster
}

need_kubeconfig() {
  [[ -n ${KUBECONFIG:-} ]] || fail "CLUSTER=current is the cluster that KUBECONFIG names, and KUBECONFIG is not set"
  # kubectl would go to localhost, or to the cluster that this very machine is a pod of.
  names_a_file || fail "KUBECONFIG names no file that is there: $KUBECONFIG"
  command -v kubectl >/dev/null || fail "CLUSTER=current needs kubectl, and it is not in the PATH"
}

need_answer() {
  local version minor
  version=$(kubectl get --raw /version 2>"$logs/version.log") ||
    fail_with_log "$logs/version.log" \
      "the cluster that KUBECONFIG names does not answer ($KUBECONFIG): does kubectl get nodes work?"
  minor=$(sed -n 's/.*"minor": *"\([0-9]*\).*/\1/p' <<<"$version")
  ((${minor:-0} >= 29)) || fail "the cluster has Kubernetes 1.${minor:-?}; native sidecars need 1.29 or later"
}

names_a_file() {
  local file files
  IFS=: read -ra files <<<"$KUBECONFIG"
  for file in "${files[@]}"; do [[ ! -s $file ]] || return 0; done
  return 1
}

# Before anything is built or made.
need_images() {
  local name missing=()
  installed_before=$(kubectl get -f manifests/install.yaml --ignore-not-found -o name 2>"$logs/before.log") ||
    fail_with_log "$logs/before.log" \
      "failed to look for the webhook in the cluster: this takes the rights of an administrator"
  for name in DEMO_IMAGE $(is_installed || echo WEBHOOK_IMAGE SIDECAR_IMAGE); do
    [[ -n ${!name:-} ]] || missing+=("$name")
    [[ ${!name:-} =~ ^[A-Za-z0-9./:@_-]*$ ]] || fail "$name=${!name} is no image's name"
  done
  ((${#missing[@]} == 0)) || {
    usage >&2
    fail "not set: ${missing[*]} (images that the cluster's nodes have or can pull, see above)"
  }
  is_installed || [[ -z $installed_before ]] ||
    fail "the webhook is half installed (${installed_before//$'\n'/, }): finish that, or remove it with" \
      "kubectl delete -f manifests/install.yaml"
}

is_installed() { grep -qx "deployment.apps/${webhook#*/}" <<<"$installed_before"; }

install_into_current_cluster() {
  looked_at+=(flyte-dataservice)
  if is_installed; then
    step "The webhook that is in the cluster is used as it is"
  else
    step "Installing the webhook, from manifests/install.yaml"
    install_webhook
  fi
  quietly "waiting for the webhook" until_rolled_out
  detail "$webhook is ready in namespace flyte-dataservice"
  took
}

# `create`, not `apply`: what is there already is not ours to change. What was made is written down as it is made, to be
# deleted again; a Ctrl-C waits for the end of it.
install_webhook() {
  sed -e "s|localhost/dataservice-webhook:dev|$WEBHOOK_IMAGE|" \
    -e "s|localhost/dataservice-sidecar:dev|$SIDECAR_IMAGE|" manifests/install.yaml >"$logs/install.yaml"
  (trap '' INT TERM HUP && kubectl create -f "$logs/install.yaml" -o name) >"$logs/installed" 2>"$logs/create.log" ||
    fail_with_log "$logs/create.log" "failed to install the webhook"
}

clear_current_cluster() {
  local status=0
  delete_namespace || status=1
  uninstall_webhook || status=1
  return "$status"
}

# The last that was made first: the MutatingWebhookConfiguration must go before what answers it.
uninstall_webhook() {
  [[ -s $logs/installed ]] || return 0
  tac "$logs/installed" | xargs tests/cluster/cluster kubectl -n flyte-dataservice delete \
    --ignore-not-found --timeout=90s >>"$logs/clear.log" 2>&1 || {
    say "error: the webhook could not be removed (log: $logs/clear.log); try: kubectl delete -f $logs/install.yaml"
    return 1
  }
  printf '\nThe webhook is removed again.\n' 2>/dev/null || true
}
