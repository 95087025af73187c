#!/usr/bin/env bash
# Two network namespaces as two hosts, with a rank in each; the link between them is cut while they train. Prints for each
# rank its exit status, the seconds from the cut to its end, and its last line. Needs root, ip and unshare.
#
#     tests/scale/two_hosts.sh DIR COMMAND…
set -uo pipefail
folder=$1
shift
names=("jaxnn-a-$$" "jaxnn-b-$$")

clean() {
  for name in "${names[@]}"; do
    ip netns del "$name" 2> /dev/null
    rm -rf "/etc/netns/$name"
  done
}
trap clean EXIT

# 77: this machine gives no namespaces.
unshare --uts true || exit 77
for i in 0 1; do
  mkdir -p "/etc/netns/${names[i]}"
  printf '127.0.0.1 localhost\n10.99.0.1 host0\n10.99.0.2 host1\n' > "/etc/netns/${names[i]}/hosts"
  ip netns add "${names[i]}" || exit 77
  ip netns exec "${names[i]}" true || exit 77
done
ip link add "va$$" netns "${names[0]}" type veth peer name "vb$$" netns "${names[1]}" || exit 77
links=("va$$" "vb$$")
for i in 0 1; do
  ip -n "${names[i]}" addr add "10.99.0.$((i + 1))/24" dev "${links[i]}"
  ip -n "${names[i]}" link set "${links[i]}" up
  ip -n "${names[i]}" link set lo up
done
export JAXNN_RANKS=2 JAXNN_RENDEZVOUS=10.99.0.1:27999
processes=()
for i in 0 1; do
  JAXNN_RANK=$i ip netns exec "${names[i]}" unshare --uts sh -c "hostname host$i && exec \"\$@\"" sh "$@" \
    > "$folder/rank$i" 2>&1 &
  processes+=($!)
done
for _ in $(seq 300); do
  [[ -e $folder/run/manifest.json ]] && break
  sleep 0.2
done
sleep 3
ip -n "${names[0]}" link set "${links[0]}" down
cut=$(date +%s%N)
for i in 0 1; do
  wait "${processes[i]}"
  echo "$i $? $((($(date +%s%N) - cut) / 1000000)) $(tail -n 1 "$folder/rank$i")"
done
