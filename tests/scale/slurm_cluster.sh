#!/usr/bin/env bash
# A Slurm cluster of one host on loopback, for a test: munged, slurmctld and slurmd, in a new folder.
# Needs root and Debian's slurm-wlm and munge:  apt-get install slurm-wlm munge
#
#     tests/scale/slurm_cluster.sh start DIR   prints the variables that point to it
#     tests/scale/slurm_cluster.sh stop DIR
set -euo pipefail
command=$1 folder=$2
host=$(hostname -s)

start() {
  mkdir -p "$folder"/{spool,state,log}
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
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/log/slurmctld
SlurmdLogFile=$folder/log/slurmd
SlurmctldPort=27817
SlurmdPort=27818
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/builtin
JobRequeue=1
ReturnToService=2
KillWait=10
MinJobAge=300
NodeName=$host NodeAddr=127.0.0.1 CPUs=8 RealMemory=1000 State=UNKNOWN
PartitionName=main Nodes=$host Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE
END
  # The host may have fewer cores than the four tasks need.
  sed -i "/^SlurmdPort/a SlurmdParameters=config_overrides" "$folder/slurm.conf"
  export SLURM_CONF=$folder/slurm.conf
  slurmctld -c
  slurmd -c
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
  for name in slurmd slurmctld; do
    [[ -e $folder/$name.pid ]] && kill "$(cat "$folder/$name.pid")" || true
  done
}

"$command"
