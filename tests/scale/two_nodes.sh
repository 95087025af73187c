#!/usr/bin/env bash
# A Slurm cluster of one host as two nodes, in a network namespace of its own: submits a job and waits for its end.
# Needs root, ip, unshare, and what slurm_cluster.sh needs. The command is one that submits a job.
#
#     tests/scale/two_nodes.sh DIR COMMAND…
set -euo pipefail
folder=$1
shift
here=$(dirname "$(realpath "$0")")
name=jaxnn-nodes-$$

clean() {
  "$here/slurm_cluster.sh" stop "$folder"
  ip netns del "$name" 2> /dev/null || true
}
trap clean EXIT

# 77: this machine gives no namespaces.
ip netns add "$name" || exit 77
ip -n "$name" link set lo up
# A pair of ends that are both here: without an address beside loopback's, no name has one.
ip -n "$name" link add first type veth peer name second || exit 77
ip -n "$name" addr add 10.99.1.1/24 dev first
ip -n "$name" link set first up
ip -n "$name" link set second up
printf '127.0.0.1 localhost\n10.99.1.1 node1 node2 %s\n' "$(hostname)" > "$folder/hosts"
export NODES=2 SLURM_CONF=$folder/slurm.conf
# Not `ip netns exec`, which hides the control groups that slurmd looks for.
nsenter --net="/run/netns/$name" unshare --mount bash -euo pipefail -s "$here/slurm_cluster.sh" "$folder" "$@" << 'END'
mount --bind "$2/hosts" /etc/hosts
"$1" start "$2" > /dev/null
shift 2
"$@"
for _ in $(seq 240); do
  [[ -z $(squeue -h) ]] && exit
  sleep 0.5
done
squeue
exit 1
END
