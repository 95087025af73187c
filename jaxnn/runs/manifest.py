"""What a run was made with: enough to repeat it, and to see what differs when it cannot be."""

import hashlib
import os
import platform
import subprocess
import tomllib
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxnn.config import config_hash, dump
from jaxnn.config.experiment import Experiment

PACKAGES = ("jaxnn", "jax", "jaxlib", "numpy", "optax", "safetensors", "scikit-learn")


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def manifest(experiment: Experiment, *, grad: str, command: Sequence[str], start: str) -> dict[str, Any]:
    """Everything that the result depends on, as JSON values."""
    config, dataset = experiment.config, experiment.dataset
    return {
        "format": 2,
        "run": uuid.uuid4().hex,
        "status": "running",
        "exit_status": None,
        "seeds": list(experiment.seeds),
        "prng": str(jax.random.key_impl(jax.random.key(0))),
        "grad": grad,
        "config": tomllib.loads(dump(config)),
        "config_sha256": config_hash(config),
        "precision": config.train.precision,
        "data": {
            "name": dataset.name,
            "sha256": [data_digest(splits) for splits in experiment.splits],
            "classes": list(dataset.classes),
            "white": dataset.max_value,
            "example": list(dataset.train.x.shape[1:]),
            "dtype": str(dataset.train.x.dtype),
            "split": {
                name: len(part.y)
                for name, part in zip(("train", "validation", "test"), experiment.splits[0], strict=True)
                if part is not None
            },
        },
        "git": git_state(),
        **surroundings(),
        "deterministic": "--xla_gpu_deterministic_ops=true" in os.environ.get("XLA_FLAGS", ""),
        "command": list(command),
        "start": start,
    }


def surroundings() -> dict[str, Any]:
    """What of this machine and what is installed on it may change a bit of a result."""
    return {
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES},
        "devices": [f"{d.platform}:{d.device_kind}" for d in jax.local_devices()],
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
        "platform": platform.platform(),
    }


def _version(name: str) -> str:
    """The version of a package; a source tree that runs without being installed has none."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def data_digest(splits: Sequence[Any]) -> str:
    """SHA-256 of the decoded examples and targets of all parts, in order."""
    total = hashlib.sha256()
    for part in splits:
        for array in part or ():
            total.update(f"{array.dtype.str}{array.shape}".encode())
            total.update(np.ascontiguousarray(array).data)
    return total.hexdigest()


def git_state() -> dict[str, Any] | None:
    """The commit of the source that runs and whether it was changed since; None outside a repository."""
    source = Path(__file__).resolve().parents[1]
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
