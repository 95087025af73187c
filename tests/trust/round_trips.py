"""States whose every bit is random, NaN payloads and signed zeros among them, kept on the disk and read back."""

import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp

from jaxnn import dense, quadratic, serial, tanh
from jaxnn.engine.snapshot import Snapshot, is_key
from jaxnn.metrics import Metrics
from jaxnn.runs import checkpoints
from jaxnn.storage.arrays import TYPES, load_arrays, save_arrays
from jaxnn.train import Data, Examples, Plan, optimizer
from jaxnn.train.optimizers import optimizer_names, takes_learning_rate
from jaxnn.train.run import make_training
from jaxnn.train.state import History, State
from tests.trust.numbers import of_the_door

SHAPES = ((), (0,), (1,), (7,), (3, 5), (2, 0, 3))
KEYS = ("threefry2x32", "rbg", "unsafe_rbg")
SEEDS = 2


def random_bits(draw: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> Any:
    """An array of any type whose bits are random: of floats every 256th or so is NaN or infinite."""
    dtype = np.dtype(dtype)
    if dtype.name == "bool":
        return draw.integers(0, 2, shape).astype(bool)
    if dtype.name.startswith(("int", "uint")) and dtype.itemsize == 1:
        # Types of 2 and 4 bits have a byte each, of which the upper bits say nothing.
        bits = {"int2": (-2, 2), "uint2": (0, 4), "int4": (-8, 8), "uint4": (0, 16)}
        low, high = bits.get(dtype.name, (0, 128))
        return draw.integers(low, high, shape).astype(dtype)
    count = int(np.prod(shape))
    return np.frombuffer(draw.bytes(count * dtype.itemsize), dtype).reshape(shape)


def odd_arrays() -> dict[str, np.ndarray]:
    """Every type in every shape, and the floats that equality does not tell apart."""
    draw = np.random.default_rng(0)
    found = {f"{name}/{shape}": random_bits(draw, shape, dtype) for name, dtype in TYPES.items() for shape in SHAPES}
    payloads = np.array([0x7FC00000, 0x7FC12345, 0xFFC00001, 0x7F800001, 0xFF812345], np.uint32)
    big_endian, turned = np.arange(7, dtype=">f4"), np.asfortranarray(np.arange(15.0).reshape(3, 5))
    return found | {
        "NaN payloads": payloads.view(np.float32),
        "signed zeros": np.array([0.0, -0.0], np.float32),
        "bfloat16 NaN": np.array([0x7FC1, 0xFF81, 0x8000], np.uint16).view(jnp.bfloat16),
        "subnormal": np.array([1, 0x80000001], np.uint32).view(np.float32),
        "big-endian": big_endian,
        "Fortran order": turned,
        "a name/with: odd \x00 letters\n": np.ones(3, np.float32),
        "../../outside": np.ones(2, np.float32),
    }


def same_bits(a: Any, b: Any) -> bool:
    """Whether two arrays, or two of typed keys, agree in type, shape and every bit."""
    if is_key(a) or is_key(b):
        return a.dtype == b.dtype and same_bits(jax.random.key_data(a), jax.random.key_data(b))
    a, b = np.asarray(a), np.asarray(b)
    a = a.astype(a.dtype.newbyteorder("<"), copy=False)
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def arrays_that_change(folder: Path) -> list[str]:
    """The odd arrays that do not come back as they were."""
    arrays = odd_arrays()
    save_arrays(folder / "odd.safetensors", arrays)
    back = load_arrays(folder / "odd.safetensors")
    return [name for name in arrays | back if not same_bits(arrays[name], back[name])]


def shapes(name: str) -> State:
    """Shapes and types of the state of two seeds under the optimizer `name`, as a run of the door has them."""
    data = Data(Examples(np.zeros((5, 3), np.float32), np.zeros((5, 2), np.float32)))
    model, plan = serial(dense(7), tanh(), dense(2)), Plan(3, best="train.loss")
    with of_the_door(), warnings.catch_warnings(action="ignore"):  # noisy_sgd asks for a key
        how = optimizer(name, 0.1) if takes_learning_rate(name) else optimizer(name)
        one = jax.eval_shape(make_training(model, quadratic(), how, plan).init, jax.random.key(0), data)
    return jax.tree.map(lambda a: jax.ShapeDtypeStruct((SEEDS, *a.shape), a.dtype), one)


def drawn(like: Any, draw: np.random.Generator, keys: str = "threefry2x32") -> Any:
    """A tree of random bits in the shapes of `like`, its keys of the implementation `keys`."""

    def leaf(a):
        if jnp.issubdtype(a.dtype, jax.dtypes.prng_key):
            data = jax.eval_shape(lambda: jax.random.key_data(jax.random.key(0, impl=keys)))
            return jax.random.wrap_key_data(random_bits(draw, (*a.shape, *data.shape), np.uint32), impl=keys)
        return random_bits(draw, a.shape, a.dtype)

    return jax.tree.map(leaf, like)


def snapshot(like: State, seed: int = 0, keys: str = "threefry2x32") -> Snapshot:
    """A run of random bits, with three rows of history."""
    draw = np.random.default_rng(seed)
    rows = History(*(Metrics(*(random_bits(draw, (SEEDS, 3), np.float32) for _ in "la")) for _ in "tv"))
    return Snapshot(1234, drawn(like, draw, keys), rows, ({"seed": 1, "where": "somewhere"},), 12.75)


def state(name: str, **options: Any) -> Snapshot:
    return snapshot(shapes(name), **options)


#: A run under each optimizer that there is, and under each kind of key.
STATES: dict[str, Callable[[], Snapshot]] = {name: partial(state, name) for name in sorted(optimizer_names())}
STATES |= {f"keys of {keys}": partial(state, "adam", keys=keys) for keys in KEYS}


def leaves_that_change(folder: Path, kept: Snapshot) -> list[str]:
    """The leaves of a run that do not come back from a checkpoint as they were."""
    path = checkpoints.save(folder, "a run", kept)
    back = checkpoints.load(path, kept.state)
    if jax.tree.structure(back) != jax.tree.structure(kept):
        return ["structure"]
    before, after = checkpoints.named_leaves(kept), checkpoints.named_leaves(back)
    return [name for name in before if not same_bits(before[name], after[name])]
