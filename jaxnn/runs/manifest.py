"""What a run was made with: enough to repeat it, and to see what differs where it cannot be repeated."""

import hashlib
import os
import platform
import subprocess
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import jax
import numpy as np

import jaxnn
from jaxnn.data.rows import Rows, blocks
from jaxnn.experiment.definition import PARTS, Experiment
from jaxnn.layer import Batch
from jaxnn.targets import Boxes, plain_target

#: The version of a run's folder.
FORMAT = 4
PACKAGES = ("jax", "jaxlib", "numpy", "optax", "safetensors", "scikit-learn")


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def make_manifest(experiment: Experiment, *, command: Sequence[str], start: str) -> dict[str, Any]:
    """Everything that the result depends on, as JSON values."""
    data, plan = experiment.data, experiment.plan
    parts = {part: experiment.examples(part) for part in PARTS}
    x = jax.tree.leaves(next((p for p in parts.values() if p is not None), experiment.source.example))[0]
    return {
        "format": FORMAT,
        "run": uuid.uuid4().hex,
        "title": experiment.title,
        "status": "running",
        "exit_status": None,
        "seeds": list(experiment.seeds),
        "plan": {"epochs": plan.epochs, "best": plan.best, "eval_every": plan.eval_every},
        "prng": str(jax.random.key_impl(jax.random.key(0))),
        "sharing": experiment.sharing._asdict(),
        "hyperparameters": {name: float(value) for name, value in experiment.hyperparameters.items()},
        "grad": "",
        "precision": "float64" if jax.config.read("jax_enable_x64") else "float32",
        **experiment.record.facts,
        "data": {
            "name": data.name,
            "sha256": data_digest(experiment),
            "classes": list(data.classes),
            "max_value": data.max_value,
            "reader": None if data.reader is None else data.reader.settings(),
            "targets": list(data.targets),
            "example": list(x.shape[1:]),
            "dtype": x.dtype.name,
            "target": target_facts(experiment),
            "stacked": experiment.stacked,
            "split": {
                part: jax.tree.leaves(examples)[0].shape[0] for part, examples in parts.items() if examples is not None
            },
        },
        "git": git_state(),
        **environment(),
        "deterministic": "--xla_gpu_deterministic_ops=true" in os.environ.get("XLA_FLAGS", ""),
        # A byte of a file name that is no UTF-8 becomes an escape: a manifest holds text.
        "command": [word.encode(errors="backslashreplace").decode() for word in command],
        "start": start,
    }


def target_facts(experiment: Experiment) -> dict[str, Any] | None:
    """The shape and the type of an example's target, which tell what a prediction means; None where it is no array.

    Of `Boxes` the shape is that of the labels, and the type that of the boxes.
    """
    example = experiment.source.example
    target = plain_target(example[1]) if isinstance(example, tuple) and len(example) == 2 else None
    if isinstance(target, Boxes):
        return {"shape": list(target.label.shape[1:]), "dtype": np.dtype(target.box.dtype).name, "boxes": True}
    return (
        {"shape": list(target.shape[1:]), "dtype": target.dtype.name}
        if target is not None and hasattr(target, "dtype")
        else None
    )


def environment() -> dict[str, Any]:
    """What of this machine and of the packages installed on it may change a bit of a result."""
    return {
        "versions": {"python": platform.python_version(), "jaxnn": jaxnn.__version__}
        | {name: _version(name) for name in PACKAGES},
        "devices": [f"{d.platform}:{d.device_kind}" for d in jax.local_devices()],
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
        "platform": platform.platform(),
    }


def machine_facts() -> dict[str, Any]:
    """What workers that share a sweep or a run must have alike: versions, the kind of device, flags of the compiler."""
    found = environment()
    versions = {f"version of {name}": value for name, value in found["versions"].items() if name != "python"}
    return versions | {"devices": sorted(set(found["devices"])), "XLA_FLAGS": found["xla_flags"]}


def environment_changes(manifest: Mapping[str, Any]) -> list[str]:
    """What differs here from where a run was started, of all that may change a bit of the result."""
    return [
        f"{name} was {manifest.get(name)}, is {current}"
        for name, current in environment().items()
        if current != manifest.get(name)
    ]


def _version(name: str) -> str:
    """The version of a package; a source tree that runs without being installed has none."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def data_digest(experiment: Experiment) -> str:
    """SHA-256 of the examples of an experiment.

    A stream that is not of stored examples has none of its training part: what it will give is not known.
    """
    source = experiment.source
    if source.stored is not None:
        train = source.stored
    else:
        train = () if source.block else source.load(0, 0, source.steps, experiment.seeds)
    return parts_digest((train, experiment.validation, experiment.test))


def parts_digest(parts: Iterable[Batch | None]) -> str:
    """SHA-256 of the examples of all parts of all seeds, before any preprocessing, in order."""
    total = hashlib.sha256()
    for part in parts:
        for leaf in jax.tree.leaves(part):
            array = leaf if isinstance(leaf, Rows) else np.asarray(leaf)
            total.update(f"{array.dtype.str}{array.shape}".encode())
            for block in blocks(array) if array.ndim else [array]:
                total.update(np.ascontiguousarray(block).data)
    return total.hexdigest()


def comparable_facts(experiment: Experiment) -> dict[str, str]:
    """What processes that train the same experiment must have found alike, by name and in words."""
    facts = experiment.record.facts
    source = facts.get("config_sha256") or facts.get("experiment", {}).get("sha256", "none")
    return {
        "config": f"SHA-256 {source[:16]}",
        "hyper-parameters": repr({name: float(value) for name, value in experiment.hyperparameters.items()}),
        "plan": repr(tuple(experiment.plan)),
        "data": f"SHA-256 {data_digest(experiment)[:16]}",
        "seeds": str(list(experiment.seeds)),
    }


def git_state() -> dict[str, Any] | None:
    """The commit of the running source and whether it was changed since; None outside a repository."""
    source = Path(__file__).resolve().parents[2]
    if not (source / ".git").exists():
        return None

    def git(*words: str) -> str:
        return subprocess.run(
            ("git", *words), cwd=source, check=True, capture_output=True, text=True, timeout=10
        ).stdout.strip()

    try:
        return {"commit": git("rev-parse", "HEAD"), "dirty": bool(git("status", "--porcelain", "--untracked-files=no"))}
    except (OSError, subprocess.SubprocessError):
        return None
