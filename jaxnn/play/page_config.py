"""The config of a page: which ones the page may ask for, and the command that trains the same run without the page."""

import json
import shlex
from collections.abc import Mapping
from typing import Any

import jax

from jaxnn.config.dump import to_builtins
from jaxnn.config.schema import Config
from jaxnn.config.sections import is_path_option
from jaxnn.errors import UserError, plural
from jaxnn.traverse import activations

#: Data sets that need no file. A page's link may come from anyone, so it names no file of the reader's.
EMBEDDED = frozenset(
    {"blobs", "circles", "moons", "gaussians", "spirals", "chess_board", "curve", "points", "beach", "parabola"}
    | {"cosine", "adding", "digits", "karate", "canvas"}
)
MAX_SEEDS = 16
MAX_EXAMPLES = 20_000
MAX_EPOCHS = 1_000_000
#: Numbers of all examples, and layers of a net, also within others: a thousand of them take minutes to compile.
MAX_NUMBERS, MAX_LAYERS = 4_000_000, 100
#: Of all seeds together: float32 parameters with their gradient, the optimizer's state and the best ones take 5 times
#: as many bytes.
MAX_PARAMETERS = 2_000_000
#: Numbers that the layers of all seeds say and keep of one batch.
MAX_RESIDUALS = 16_000_000


def check_page_config(config: Config, trusted: Config | None) -> None:
    """Raises `UserError` for a config that the page may not ask for.

    trusted: the config that the command line named; its data may be those of a file
    """
    data = to_builtins(config.data)
    if not has_own_files(config, trusted):
        _check_embedded(config, data)
    seeds = config.train.seeds
    if seeds > MAX_SEEDS:
        raise UserError(f"train.seeds: expected at most {MAX_SEEDS} on a page, found {seeds}")
    if config.train.epochs > MAX_EPOCHS:
        raise UserError(f"train.epochs: expected at most {MAX_EPOCHS:,} on a page, found {config.train.epochs:,}")
    if (layers := _layers(to_builtins(config.net))) > MAX_LAYERS:
        raise UserError(f"net: expected at most {MAX_LAYERS} layers on a page, found {layers:,}")
    if config.adversarial is not None or config.compare:
        raise UserError("expected one net on a page, found two players or a comparison; `jaxnn train` trains them")


def has_own_files(config: Config, trusted: Config | None) -> bool:
    """Whether the data are those of files that the command line named, with the same files."""
    if trusted is None or trusted.data.name in EMBEDDED or config.data.name != trusted.data.name:
        return False
    return _files(to_builtins(config.data)) == _files(to_builtins(trusted.data))


def _check_embedded(config: Config, data: Mapping[str, Any]) -> None:
    """Raises `UserError` for data of a file, and for more of them than a page takes."""
    if config.data.name not in EMBEDDED:
        raise UserError(
            f"data.name: expected a data set that needs no file ({', '.join(sorted(EMBEDDED))}), found "
            f"{config.data.name}; `jaxnn play CONFIG` opens a config with files of your own"
        )
    if _files(data):
        raise UserError("data: expected no file of this machine, found the name of one")
    options = config.data.options
    count = max(options.get("n", 0), options.get("examples", 0)) + options.get("test_n", 0)
    if count > MAX_EXAMPLES:
        raise UserError(f"data: expected at most {MAX_EXAMPLES:,} examples on a page, found {count:,}")
    side = max(size) if isinstance(size := options.get("size", 1), tuple | list) else size
    numbers = count * options.get("length", 1) * side**2 * (config.train.seeds if config.data.per_seed else 1)
    if numbers > MAX_NUMBERS:
        raise UserError(f"data: expected examples of at most {MAX_NUMBERS:,} numbers on a page, found {numbers:,}")


def examples_in_step(config: Config, examples: int | None = None) -> int:
    """The most examples that a step of this config sees.

    examples: of the training part, where that is known
    """
    options = config.data.options
    count = examples or options.get("n", options.get("examples", len(options.get("labels", ())))) or 1797
    return min(config.train.batch_size or count, count)


def check_page_size(config: Config, model: Any, example: Any) -> None:
    """Raises `UserError` for a net that takes too much memory on a page. Nothing of it is allocated before.

    example: shapes of one batch of inputs, as the model sees it
    """
    params = jax.eval_shape(model.init, jax.random.key(0), example)
    parameters = sum(leaf.size for leaf in jax.tree.leaves(params)) * config.train.seeds
    if parameters > MAX_PARAMETERS:
        raise UserError(
            f"net: expected at most {MAX_PARAMETERS:,} parameters of all seeds on a page, found {parameters:,}; "
            "`jaxnn train` has no such limit"
        )
    key = jax.random.key(0)
    residuals = jax.eval_shape(lambda params, x: model.forward(params, x, key)[1], params, example)
    outputs = jax.eval_shape(lambda params, x: activations(model, params, x, key), params, example)
    numbers = sum(leaf.size for leaf in jax.tree.leaves((residuals, outputs))) * config.train.seeds
    if numbers > MAX_RESIDUALS:
        raise UserError(
            f"net: expected at most {MAX_RESIDUALS:,} numbers in the layers of "
            f"{plural(config.train.seeds, 'seed')} for one batch, found {numbers:,}; set a smaller train.batch_size"
        )


def training_command(config: Config, base: Config | None, base_name: str) -> str:
    """The command that trains this config without the page: from a shipped config's name with what was changed.

    base: the shipped config, or the file, from which the page began; where the two differ in more than single values,
        the command names `page.toml`, the file that the page downloads
    """
    changed = None if base is None else _changes(to_builtins(base), to_builtins(config))
    if changed is None:
        return "jaxnn train page.toml"
    return shlex.join(["jaxnn", "train", base_name, *changed])


def _changes(old: Any, new: Any, path: str = "") -> list[str] | None:
    """The overrides that make `old` equal to `new`; None where a list has another length, or a text is no word."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        if path.startswith(("net.", "data")) and old.get("layer", old.get("name")) != new.get("layer", new.get("name")):
            return None
        words: list[str] = []
        for key in [*old, *(key for key in new if key not in old)]:
            if key not in new:
                words.append(f"--{path}{key}=")
                continue
            inner = _changes(old.get(key), new[key], f"{path}{key}.")
            if inner is None:
                return None
            words += inner
        return words
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new) and new and isinstance(new[0], Mapping):
        parts = [_changes(a, b, f"{path}{i}.") for i, (a, b) in enumerate(zip(old, new, strict=True))]
        return None if None in parts else [word for part in parts for word in part or []]
    if old == new and type(old) is type(new):
        return []
    if isinstance(new, bool | int | float):
        return [f"--{path[:-1]}={json.dumps(new)}"]
    if (
        isinstance(new, str)
        and new.replace("_", "").replace(".", "").isalnum()
        and new.lower() not in ("true", "false")
    ):
        return [f"--{path[:-1]}={new}"]
    return None


def _layers(net: Any) -> int:
    """The layers of a net's tables, also those within combinators."""
    if isinstance(net, list):
        return sum(map(_layers, net))
    return (
        1 + sum(_layers(inner) for inner in net.values() if isinstance(inner, list)) if isinstance(net, Mapping) else 0
    )


def _files(data: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if is_path_option(key)}
