# shellcheck shell=bash disable=SC2154  # state, short, run, cache, logs: settings.sh and the demo
# A cluster of this clone: used if it is up, else started and ended again.

started_cluster=false

prepare_own_cluster() {
  [[ -z ${KUBECONFIG:-} ]] || say "KUBECONFIG is not used; make demo CLUSTER=current takes the cluster that it names"
  leave_other_clones_alone
  step "Building Kubernetes and flyte-dataservice"
  say_how_long
  run tests/setup || fail "something that the demo needs is missing, see above"
  run tests/cluster/cluster build || fail "the cluster's programs could not be built, see above"
  quietly "building our binaries" make --no-print-directory build
  took
  start_own_cluster
  install_into_own_cluster
}

need_root() {
  ((EUID == 0)) || fail "network namespaces and cgroups are root's: run it as root, or on a cluster of your own with" \
    "make demo CLUSTER=current"
}

say_how_long() {
  if ! compgen -G "$cache/kubernetes-*/kubelet" >/dev/null; then
    detail "this takes about 15 minutes on two cores, once per machine; from then on the demo takes half a minute"
  elif [[ ! -x $(built demo) ]]; then
    detail "this takes some minutes the first time; from then on the demo takes half a minute"
  fi
}

# `cluster up` would clear it.
leave_other_clones_alone() {
  local holder
  holder=$(readlink "$short" || true)
  [[ -n $holder && $holder != "$state" && -e $run/up ]] && is_running kube-apiserver || return 0
  fail "another clone's cluster is up under the name $netns (state in $holder): end it there with make cluster-down," \
    "or give this one another name: CLUSTER_NETNS=demo make demo"
}

start_own_cluster() {
  if ! tests/cluster/cluster status >/dev/null 2>&1; then
    step "Starting a cluster"
    leave_other_clones_alone # building may have taken its time
    started_cluster=true
    run tests/cluster/cluster up || fail "the cluster did not start, see above"
    touch "$state/started-by-demo"
  elif [[ -e $state/started-by-demo ]]; then
    step "The cluster of an earlier demo that was killed is used, and ended"
    started_cluster=true
  else
    step "The cluster that is up here is used, and left up"
  fi
  detail "Kubernetes $(kubectl get nodes --no-headers -o custom-columns=:.status.nodeInfo.kubeletVersion), one node"
  took
}

install_into_own_cluster() {
  local had_webhook=false
  step "Installing the webhook in it, from manifests/install.yaml"
  looked_at+=(flyte-dataservice)
  ! kubectl -n flyte-dataservice get "$webhook" >/dev/null 2>&1 || had_webhook=true
  quietly "loading our images" make --no-print-directory images
  quietly "installing the webhook" make --no-print-directory install
  # An image of the same name as before: a webhook that ran already is still the older one.
  ! $had_webhook || quietly "restarting the webhook" restart_webhook
  detail "$webhook is ready in namespace flyte-dataservice"
  took
}

restart_webhook() {
  kubectl -n flyte-dataservice rollout restart "$webhook" && until_rolled_out
}

clear_own_cluster() {
  # Not a bare `return`: in a trap, that gives what was before the trap.
  $started_cluster || { delete_namespace; return $?; }
  tests/cluster/cluster down || {
    say "error: the cluster could not be ended, see above; try: make cluster-down"
    return 1
  }
  printf '\nThe cluster is ended. (make cluster-up starts one that stays, and the demo then uses it.)\n' 2>/dev/null || true
}
