"""`jaxnn slurm train CONFIG …` and `jaxnn slurm sweep CONFIG … --array N`: a batch script for Slurm."""

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
OWN = ("--cluster", "--processes", "--restarts", "--rendezvous", "--workers", "--status")

HEAD = """#!/bin/bash
{settings}
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal={signal}

"""
#: Tasks that train one run together.
RUN = """\
# All tasks train one run, which rank 0 writes. Slurm asks them to save it {warning} seconds before the time limit.
# Then, and where a task or a node has died, the job goes back to the queue, and goes on from the newest checkpoint.
export JAX_PLATFORMS=${{JAX_PLATFORMS-{platform}}}
run={run}
if [ -e "$run/manifest.json" ]; then
  srun --kill-on-bad-exit=1 jaxnn resume "$run" --cluster slurm{resume}
else
  srun --kill-on-bad-exit=1 jaxnn train {words} --out "$run" --cluster slurm
fi
status=$?
"""
#: Jobs of an array that share the members of a sweep, or the seeds of a run.
ARRAY = """\
# Each job of the array is a worker: it trains what no other does, and may start or end at any time. Before the time
# limit, and where it has died, it goes back to the queue, until all of the work is done.
export JAX_PLATFORMS=${{JAX_PLATFORMS-{platform}}}
srun jaxnn {command} {words} --join {run}
status=$?
"""
TAIL = """# 0: finished; 2: a mistake, which another start would not mend.
if [ $status -ne 0 ] && [ $status -ne 2 ] && [ "${{SLURM_RESTART_COUNT:-0}}" -lt {restarts} ]; then
  scontrol requeue "$SLURM_JOB_ID"
fi
exit $status
"""


def run(command: Slurm, words: Sequence[str]) -> None:
    """Prints the script, or submits it. words: those of `jaxnn train` or of `jaxnn sweep`."""
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
    counts = {
        "nodes": command.nodes,
        "tasks": command.tasks,
        "gpus": command.gpus,
        "cpus": command.cpus,
        "array": command.array,
    }
    for name, count in counts.items():
        if count is not None and count < (0 if name == "gpus" else 1):
            raise UserError(f"--{name}: expected at least 1, found {count}")
    if command.gpus and command.tasks not in (None, command.gpus):
        raise UserError(
            f"--tasks: expected a task for each of {command.gpus} GPUs, found {command.tasks}; leave it out"
        )
    is_array = command.command == "sweep" or command.array is not None
    if is_array and (command.nodes > 1 or command.gpus > 1 or command.tasks not in (None, 1)):
        raise UserError(
            "--array: expected jobs of one task with at most one GPU each, found more; ask for more of them"
        )
    if not is_array and any(word.partition("=")[0] == "--join" for word in words):
        raise UserError("--join: expected --array N, the workers that share the seeds, found none")
    stem = Path(words[0]).stem.partition(":")[0] if words and not words[0].startswith("-") else "digits_mlp"
    settings = {
        "job-name": f"jaxnn-{stem}",
        "array": f"1-{command.array or 1}" if is_array else None,
        "nodes": command.nodes,
        "ntasks-per-node": command.gpus or command.tasks or 1,
        "gpus-per-task": 1 if command.gpus else None,
        "cpus-per-task": command.cpus,
        "time": command.time,
        "partition": command.partition,
        "account": command.account,
    }
    others, out = split_options(words, ("--out", "--join"))
    where = out[-1].partition("=")[2] or out[-1] if out else ""
    job = "$SLURM_ARRAY_JOB_ID" if is_array else "$SLURM_JOB_ID"
    return (HEAD + (ARRAY if is_array else RUN) + TAIL).format(
        settings="\n".join(f"#SBATCH --{name}={shlex.quote(str(value))}" for name, value in settings.items() if value),
        signal=f"TERM@{WARNING}",
        warning=WARNING,
        platform="cuda" if command.gpus else "cpu",
        run=shlex.quote(where) if where else f"runs/{shlex.quote(stem)}-{job}",
        resume="".join(f" {shlex.quote(word)}" for word in split_options(words, KEPT_OPTIONS)[1]),
        command=command.command,
        words=shlex.join(others or ["digits_mlp"]),
        restarts=MOST_RESTARTS,
    )
