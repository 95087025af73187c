"""The text of docs/config.md: every table of a config, its keys, their values, defaults and meaning."""

import inspect
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import optax

from jaxnn.config import FieldHelp, fields, variants
from jaxnn.config.layers import combinators
from jaxnn.config.shipped import find
from jaxnn.data import DATASETS
from jaxnn.initializers import INITIALIZERS
from jaxnn.layers import LAYERS
from jaxnn.losses import LOSSES

INTRODUCTION = """# The fields of a config

A config is one TOML file. A run depends on nothing else. A key that is not listed here is refused, and so is a value of
another type. This page is generated from the schema by `python docs/make.py`.

`jaxnn train FILE.toml` runs a config, and `jaxnn configs` lists those that come with the package. Every key can be set
on the command line by its dotted name, and a layer by its position:

```sh
jaxnn train digits_mlp --train.epochs 60 --optimizer.learning-rate 0.01 --net.1.units 64
```

[Your own data](guide/own_data.md) has whole configs for files of yours. A whole config, `digits_mlp`:

```toml
{example}```

In the tables below, "required" marks a key without a default, and – one that may be absent."""

TABLES = {
    "data": "The data set, its split and its preparation. `name` determines [further keys](#data-sets).",
    "net": "One table for each layer, first to last. `layer` determines [further keys](#layers).",
    "loss": "What training minimizes. `name` determines [further keys](#losses).",
    "optimizer": "How the parameters are updated. `name` determines [further keys](#optimizers).",
    "optimizer.schedule": "A learning rate that changes with the steps, in place of `optimizer.learning_rate`. `name` "
    "determines [further keys](#schedules).",
    "optimizer.groups": "Parameters with their own learning rate or decay, or frozen. The first match counts.",
    "train": "How long to train, with which batches, and which parameters to keep.",
    "checkpoint": "When to save a running training. A finished run is always saved. The table may be absent.",
    "augment": "Random changes of each training image, different ones in every step. Without the table there are none.",
    "noise": "Noise made in each step. `name` determines [further keys](#noise). Without the table there is none.",
    "adversarial": "A critic, against which `[[net]]` generates samples; then there is no table `[loss]`.",
    "adversarial.penalty": "A bound on the slope of the critic. The table may be absent.",
    "compare": "Other optimizers for the same net, for `jaxnn plot optimizers`.",
}
LISTS = ("net", "optimizer.groups", "compare")

EXAMPLES = {
    "data": """[data]
name = "digits"
validation = 0.1
test = 360
preprocess = "unit"
""",
    "net": """[[net]]
layer = "flatten"

[[net]]
layer = "dense"
units = 32
weight_init = { name = "uniform", low = -0.05, high = 0.05 }

[[net]]
layer = "tanh"

[[net]]
layer = "residual"
layers = [{ layer = "dense", units = 32 }, { layer = "relu" }]

[[net]]
layer = "dense"
units = 10
""",
    "loss": """[loss]
name = "softmax_cross_entropy"
class_weights = [1, 1, 1, 1, 1, 1, 1, 1, 2, 2]
""",
    "optimizer": """[optimizer]
name = "adamw"
learning_rate = 0.003
weight_decay = 0.01
clip_norm = 1.0
""",
    "optimizer.schedule": """[optimizer]
name = "adam"

[optimizer.schedule]
name = "warmup_cosine_decay_schedule"
init_value = 0.0
peak_value = 0.003
warmup_steps = 100
decay_steps = 1600
""",
    "optimizer.groups": """[optimizer]
name = "adam"
learning_rate = 0.003

[[optimizer.groups]]
match = "1/*"
frozen = true

[[optimizer.groups]]
match = "*/bias"
learning_rate = 0.01
""",
    "train": """[train]
epochs = 40
batch_size = 32
seeds = 5
best = "validation.loss"
patience = 10
""",
    "checkpoint": """[checkpoint]
epochs = 5
keep = 3
""",
    "augment": """[augment]
shift = 1
rotation = 10
scale = 0.1
""",
    "noise": """[noise]
name = "binarize"
""",
    "adversarial": """[adversarial]
latent = 32

[[adversarial.critic]]
layer = "flatten"

[[adversarial.critic]]
layer = "dense"
units = 1

[adversarial.optimizer]
name = "adam"
learning_rate = 0.0003
""",
    "adversarial.penalty": """[adversarial]
latent = 32
critic = [{ layer = "flatten" }, { layer = "dense", units = 1 }]
optimizer = { name = "adam", learning_rate = 0.0003 }

[adversarial.penalty]
kind = "r1"
weight = 1.0
""",
    "compare": """[[compare]]
optimizer = { name = "adam", learning_rate = 0.003 }
batch_size = 32

[[compare]]
optimizer = { name = "lbfgs" }
""",
}

NET_KEYS = [
    FieldHelp("net.layer", "text", None, "a layer or a combinator of the list below", True),
    FieldHelp(
        "net.name", "text", None, "of the layer in checkpoints, summaries and groups; absent: its position", False
    ),
]


def config_page() -> str:
    """The whole page."""
    example = re.sub(r"^#.*\n+", "", find("digits_mlp").read_text(encoding="utf-8"), flags=re.MULTILINE)
    parts = [INTRODUCTION.format(example=example)]
    keys = fields()
    top = [field for field in keys if "." not in field.name]
    parts += [
        "## The top level",
        table(top),
        "The tables `[data]`, `[optimizer]` and `[train]` are required, and `[loss]` or `[adversarial]`.",
    ]
    for name, text in TABLES.items():
        heading = f"## `[[{name}]]`" if name in LISTS else f"## `[{name}]`"
        rows = NET_KEYS if name == "net" else [key for key in keys if key.name.rpartition(".")[0] == name]
        parts += [heading, text, table(rows), f"```toml\n{EXAMPLES[name]}```"]
    parts += variant_sections(variants())
    return "\n\n".join(parts) + "\n"


def variant_sections(kinds: Mapping[str, Mapping[str, Sequence[FieldHelp]]]) -> list[str]:
    """The sections of the data sets, layers, losses, noise, optimizers and schedules."""
    datasets = {("tfds:NAME" if name == "tfds" else name): loader for name, loader in DATASETS.items()}
    parts = ["## Data sets", "Each is a value of `data.name`. Its keys stand in `[data]`."]
    for name, rows in kinds["data"].items():
        parts += [f"### `{name}`", summary(datasets[name]), table(rows, option_help(datasets[name]))]
    constructors: dict[str, Callable[..., Any]] = LAYERS | combinators()
    combinator_names = ", ".join(f"`{name}`" for name in combinators())
    initializers = ", ".join(f"`{name}`" for name in INITIALIZERS)
    parts += [
        "## Layers",
        "Each is a value of `layer` in `[[net]]`; its page has the formula. The combinators "
        f"{combinator_names} take a list of such tables. An initializer is one of {initializers}, or a table with its "
        '`name` and options: `{ name = "normal", stddev = 0.01 }`.',
        named_rows(kinds["layer"], {name: f"layers/{name}.md" for name in constructors}),
        "## Losses",
        "Each is a value of `loss.name`; its page has the formula.",
        named_rows(kinds["loss"], {name: f"layers/{name}.md" for name in LOSSES}),
        "## Noise",
        "Each is a value of `noise.name`.",
        named_rows(kinds["noise"], {}),
        "## Optimizers",
        "Each is a value of `optimizer.name`, with the further keys of this table in `[optimizer]`. Those of "
        f"[optax](https://optax.readthedocs.io) are listed as version {optax.__version__} has them. "
        "[Optimizers](guide/optimizers.md) says which second-order methods there are.",
        named_rows(kinds["optimizer"], {}),
        "## Schedules",
        f"Each is a value of `optimizer.schedule.name`, as optax {optax.__version__} has them.",
        named_rows(kinds["schedule"], {}),
    ]
    return parts


def table(rows: Sequence[FieldHelp], help_texts: Mapping[str, str] | None = None) -> str:
    """The keys as a table; `help_texts` has the meaning of those whose schema has none."""
    if not rows:
        return "No further keys."
    lines = ["| key | value | default | meaning |", "|---|---|---|---|"]
    for row in rows:
        key = row.name.rpartition(".")[2]
        text = row.help or (help_texts or {}).get(key, "")
        lines.append(f"| `{key}` | {cell(row.type)} | {default_text(row)} | {cell(text)} |")
    return "\n".join(lines)


def named_rows(kind: Mapping[str, Sequence[FieldHelp]], links: Mapping[str, str]) -> str:
    """A row for each name of a kind, with its keys in one cell."""
    lines = ["| name | further keys |", "|---|---|"]
    for name, rows in kind.items():
        shown = f"[`{name}`]({links[name]})" if name in links else f"`{name}`"
        lines.append(f"| {shown} | {'; '.join(map(key_text, rows))} |")
    return "\n".join(lines)


def key_text(row: FieldHelp) -> str:
    """A key with its values and its default, in one line."""
    default = "required" if row.required else "absent" if row.default is None else f"default {default_text(row)}"
    return f"`{row.name}`: {cell(row.type)}, {default}"


def default_text(row: FieldHelp) -> str:
    """The default as it stands in TOML."""
    if row.required:
        return "required"
    return "–" if row.default is None or row.default == () else f"`{json.dumps(row.default)}`"


def cell(text: str) -> str:
    return text.replace("|", "\\|")


def summary(function: Callable[..., Any]) -> str:
    """The first paragraph of a docstring, as one line of Markdown."""
    paragraph = (inspect.getdoc(function) or "").split("\n\n")[0]
    return " ".join(paragraph.split()).replace("``", "`")


def option_help(function: Callable[..., Any]) -> dict[str, str]:
    """What a docstring says of each argument: the lines that begin with its name, or several names, and a colon."""
    text = inspect.getdoc(function) or ""
    names = "|".join(inspect.signature(function).parameters)
    found = re.findall(rf"^((?:{names})(?:, (?:{names}))*): (.+(?:\n[ ]+\S.*)*)", text, re.MULTILINE)
    return {name: " ".join(words.split()).replace("``", "`") for head, words in found for name in head.split(", ")}
