#!/usr/bin/env bash
# A Slurm cluster of one host on loopback, for a test: munged, slurmctld and slurmd, in a new folder. With NODES=2 in the
# environment the host is two nodes, node1 and node2, whose names must be known as addresses of this host.
# Needs root and Debian's slurm-wlm and munge:  apt-get install slurm-wlm munge
#
#     tests/scale/slurm_cluster.sh start DIR   prints the variables that point to it
#     tests/scale/slurm_cluster.sh stop DIR
set -euo pipefail
command=$1 folder=$2
host=$(hostname -s)
nodes=("$host") ports=27818
if [[ ${NODES:-1} == 2 ]]; then
  nodes=(node1 node2) ports=27818,27819
fi
names=$(IFS=,; echo "${nodes[*]}")

start() {
  mkdir -p "$folder"/{state,log}
  if ! munge -n > /dev/null 2>&1; then
    [[ -e /etc/munge/munge.key ]] || (umask 077; dd if=/dev/urandom of=/etc/munge/munge.key bs=1 count=1024 status=none)
    chown munge: /etc/munge/munge.key
    mkdir -p /run/munge
    chown munge: /run/munge /var/log/munge /var/lib/munge
    runuser -u munge -- munged --force
  fi
  cat > "$folder/slurm.conf" << END
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool-%n
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd-%n.pid
SlurmctldLogFile=$folder/log/slurmctld
SlurmdLogFile=$folder/log/slurmd-%n
SlurmctldPort=27817
# The host may have fewer cores than the four tasks need.
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/builtin
JobRequeue=1
ReturnToService=2
KillWait=10
MinJobAge=300
NodeName=$names NodeHostname=$host NodeAddr=127.0.0.1 Port=$ports CPUs=8 RealMemory=1000 State=UNKNOWN
PartitionName=main Nodes=$names Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE
END
  export SLURM_CONF=$folder/slurm.conf
  slurmctld -c
  for node in "${nodes[@]}"; do
    mkdir -p "$folder/spool-$node"
    slurmd -c -N "$node"
  done
  for _ in $(seq 50); do
    if sinfo -h -o %t 2> /dev/null | grep -q idle; then
      echo "export SLURM_CONF=$SLURM_CONF"
      return
    fi
    sleep 0.2
  done
  sinfo
  tail -n 5 "$folder"/log/*
  return 1
}

stop() {
  for file in "$folder"/slurm*.pid; do
    [[ -e $file ]] && kill "$(cat "$file")" || true
  done
}

"$command"
