"""`jaxnn slurm train CONFIG …`: a batch script for Slurm."""

import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from jaxnn.cli.processes import KEPT_OPTIONS, split_options
from jaxnn.cli.run_arguments import Slurm
from jaxnn.cli.terminal import print_file, print_text
from jaxnn.errors import UserError

#: Seconds before the time limit at which Slurm asks the tasks to save the run.
WARNING = 120
#: How often a job goes back to the queue by itself.
MOST_RESTARTS = 50
#: Options that the script sets itself.
OWN = ("--cluster", "--processes", "--restarts", "--rendezvous")

SCRIPT = """#!/bin/bash
{settings}
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=TERM@{warning}

# All tasks train one run, which rank 0 writes. Slurm asks them to save it {warning} seconds before the time limit.
# Then, and where a task or a node has died, the job goes back to the queue, and goes on from the newest checkpoint.
export JAX_PLATFORMS=${{JAX_PLATFORMS-{platform}}}
run={run}
if [ -e "$run/manifest.json" ]; then
  srun --kill-on-bad-exit=1 jaxnn resume "$run" --cluster slurm{resume}
else
  srun --kill-on-bad-exit=1 jaxnn train {train} --out "$run" --cluster slurm
fi
status=$?
# 0: finished; 2: a mistake, which another start would not mend.
if [ $status -ne 0 ] && [ $status -ne 2 ] && [ "${{SLURM_RESTART_COUNT:-0}}" -lt {restarts} ]; then
  scontrol requeue "$SLURM_JOB_ID"
fi
exit $status
"""


def run(command: Slurm, words: Sequence[str]) -> None:
    """Prints the script, or submits it. words: those of `jaxnn train`."""
    script = batch_script(command, words)
    if not command.submit:
        print_file(script)
        return
    sbatch = shutil.which("sbatch")
    if sbatch is None:
        raise UserError(
            "--submit: expected Slurm's sbatch on this machine, found none; print the script and take it there"
        )
    done = subprocess.run([sbatch], input=script, text=True, capture_output=True)
    if done.returncode:
        raise UserError(f"sbatch: {' '.join(done.stderr.split())}")
    print_text(done.stdout.strip())


def batch_script(command: Slurm, words: Sequence[str]) -> str:
    """The batch script. Raises `UserError` for numbers that cannot be and for options that Slurm decides."""
    for name in OWN:
        if any(word.partition("=")[0] == name for word in words):
            raise UserError(f"jaxnn slurm: expected no {name}, which the script sets, found it; remove it")
    counts = {"nodes": command.nodes, "tasks": command.tasks, "gpus": command.gpus, "cpus": command.cpus}
    for name, count in counts.items():
        if count is not None and count < (0 if name == "gpus" else 1):
            raise UserError(f"--{name}: expected at least 1, found {count}")
    if command.gpus and command.tasks not in (None, command.gpus):
        raise UserError(
            f"--tasks: expected a task for each of {command.gpus} GPUs, found {command.tasks}; leave it out"
        )
    stem = Path(words[0]).stem.partition(":")[0] if words and not words[0].startswith("-") else "digits_mlp"
    settings = {
        "job-name": f"jaxnn-{stem}",
        "nodes": command.nodes,
        "ntasks-per-node": command.gpus or command.tasks or 1,
        "gpus-per-task": 1 if command.gpus else None,
        "cpus-per-task": command.cpus,
        "time": command.time,
        "partition": command.partition,
        "account": command.account,
    }
    train, out = split_options(words, ("--out",))
    where = out[-1].removeprefix("--out=") if out else ""
    return SCRIPT.format(
        settings="\n".join(f"#SBATCH --{name}={shlex.quote(str(value))}" for name, value in settings.items() if value),
        warning=WARNING,
        platform="cuda" if command.gpus else "cpu",
        run=shlex.quote(where) if where else f"runs/{shlex.quote(stem)}-$SLURM_JOB_ID",
        resume="".join(f" {shlex.quote(word)}" for word in split_options(words, KEPT_OPTIONS)[1]),
        train=shlex.join(train or ["digits_mlp"]),
        restarts=MOST_RESTARTS,
    )
