"""States of random bits, with NaN payloads and signed zeros among them, written to the disk and read back."""

import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import numpy as jnp

from jaxnn import accuracy, dense, quadratic, serial, tanh
from jaxnn.engine.snapshot import Snapshot, is_key
from jaxnn.experiment import Experiment
from jaxnn.runs import checkpoints
from jaxnn.storage.arrays import DTYPES, load_arrays, save_arrays
from jaxnn.train import Plan, in_memory, optimizer, supervised
from jaxnn.train.optimizers import optimizer_names, takes_learning_rate
from jaxnn.train.state import History, State
from tests.trust.precision import cli_precision

SHAPES = ((), (0,), (1,), (7,), (3, 5), (2, 0, 3))
KEYS = ("threefry2x32", "rbg", "unsafe_rbg")
SEEDS = 2


def random_bits(draw: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> Any:
    """An array of any dtype with random bits; about one float in 256 is NaN or infinite."""
    dtype = np.dtype(dtype)
    if dtype.name == "bool":
        return draw.integers(0, 2, shape).astype(bool)
    if dtype.name.startswith(("int", "uint")) and dtype.itemsize == 1:
        # Numbers of 2 and 4 bits take a byte each, whose upper bits are unused.
        bits = {"int2": (-2, 2), "uint2": (0, 4), "int4": (-8, 8), "uint4": (0, 16)}
        low, high = bits.get(dtype.name, (0, 128))
        return draw.integers(low, high, shape).astype(dtype)
    count = int(np.prod(shape))
    return np.frombuffer(draw.bytes(count * dtype.itemsize), dtype).reshape(shape)


def unusual_arrays() -> dict[str, np.ndarray]:
    """Every dtype in every shape, and the floats that equality does not distinguish."""
    draw = np.random.default_rng(0)
    arrays = {f"{name}/{shape}": random_bits(draw, shape, dtype) for name, dtype in DTYPES.items() for shape in SHAPES}
    payloads = np.array([0x7FC00000, 0x7FC12345, 0xFFC00001, 0x7F800001, 0xFF812345], np.uint32)
    big_endian, transposed = np.arange(7, dtype=">f4"), np.asfortranarray(np.arange(15.0).reshape(3, 5))
    return arrays | {
        "NaN payloads": payloads.view(np.float32),
        "signed zeros": np.array([0.0, -0.0], np.float32),
        "bfloat16 NaN": np.array([0x7FC1, 0xFF81, 0x8000], np.uint16).view(jnp.bfloat16),
        "subnormal": np.array([1, 0x80000001], np.uint32).view(np.float32),
        "big-endian": big_endian,
        "Fortran order": transposed,
        "a name/with: odd \x00 letters\n": np.ones(3, np.float32),
        "../../outside": np.ones(2, np.float32),
    }


def same_bits(a: Any, b: Any) -> bool:
    """Whether two arrays, or two arrays of typed keys, agree in dtype, shape and every bit."""
    if is_key(a) or is_key(b):
        return a.dtype == b.dtype and same_bits(jax.random.key_data(a), jax.random.key_data(b))
    a, b = np.asarray(a), np.asarray(b)
    a = a.astype(a.dtype.newbyteorder("<"), copy=False)
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def changed_arrays(folder: Path) -> list[str]:
    """The unusual arrays that a file does not restore bit for bit."""
    arrays = unusual_arrays()
    save_arrays(folder / "unusual.safetensors", arrays)
    restored = load_arrays(folder / "unusual.safetensors")
    return [name for name in arrays | restored if not same_bits(arrays[name], restored[name])]


class Shapes(NamedTuple):
    """Shapes and dtypes of the state in a run's checkpoints, and of one row of its history."""

    state: State
    history: History


def shapes_of(experiment: Experiment) -> Shapes:
    """The shapes and dtypes of an experiment's state and history."""
    return Shapes(experiment.state_shapes(), experiment.history_shapes())


def shapes(name: str) -> Shapes:
    """The shapes and dtypes of two seeds with the optimizer `name`, as in a run from the command line."""
    x, y = np.zeros((5, 3), np.float32), np.zeros((5, 2), np.float32)
    model = serial(dense(7), tanh(), dense(2))
    with cli_precision(), warnings.catch_warnings(action="ignore"):  # noisy_sgd warns that it needs a key
        transformation = optimizer(name, 0.1) if takes_learning_rate(name) else optimizer(name)
        update = supervised(model, quadratic(), transformation, metrics={"accuracy": accuracy})
        plan, seeds = Plan(3, best="train.loss"), tuple(range(SEEDS))
        return shapes_of(Experiment(update, in_memory(x, y), plan, validation=(x, y), seeds=seeds))


def random_tree(like: Any, draw: np.random.Generator, keys: str = "threefry2x32") -> Any:
    """A pytree of random bits with the shapes of `like`, and keys of the implementation `keys`."""

    def leaf(a):
        if jnp.issubdtype(a.dtype, jax.dtypes.prng_key):
            data = jax.eval_shape(lambda: jax.random.key_data(jax.random.key(0, impl=keys)))
            return jax.random.wrap_key_data(random_bits(draw, (*a.shape, *data.shape), np.uint32), impl=keys)
        return random_bits(draw, a.shape, a.dtype)

    return jax.tree.map(leaf, like)


def snapshot(like: Shapes, seed: int = 0, keys: str = "threefry2x32") -> Snapshot:
    """A snapshot of random bits, with three rows of history."""
    draw = np.random.default_rng(seed)
    state = random_tree(like.state, draw, keys)
    rows = jax.tree.map(lambda a: random_bits(draw, (SEEDS, 3), a.dtype), like.history)
    return Snapshot(1234, state, rows, ({"seed": 1, "where": "somewhere"},), 12.75)


def state(name: str, **options: Any) -> Snapshot:
    return snapshot(shapes(name), **options)


#: A snapshot with each optimizer, and with each kind of key.
STATES: dict[str, Callable[[], Snapshot]] = {name: partial(state, name) for name in sorted(optimizer_names())}
STATES |= {f"keys of {keys}": partial(state, "adam", keys=keys) for keys in KEYS}


def changed_leaves(folder: Path, saved: Snapshot) -> list[str]:
    """The leaves of a snapshot that a checkpoint does not restore bit for bit."""
    path = checkpoints.save(folder, "a run", saved)
    loaded = checkpoints.load(path, saved.state, saved.history)
    if jax.tree.structure(loaded) != jax.tree.structure(saved):
        return ["structure"]
    before, after = checkpoints.named_leaves(saved), checkpoints.named_leaves(loaded)
    return [name for name in before if not same_bits(before[name], after[name])]
