"""Writes the generated pages: docs/config.md from the schema of a config, and docs/layers/*.md, a page for each layer,
combinator, loss and model, from its docstring, code and certificate.

python docs/make.py                                # docs/config.md alone
jaxnn certify --json certificate.json && jaxnn certify --mutants --json mutants.json
python docs/make.py certificate.json mutants.json  # the pages of the layers too
"""

import inspect
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from config_page import config_page

from jaxnn.certify.cases import constructor
from jaxnn.cli.certify_targets import NAMES
from jaxnn.kernels.attention import attend, attend_back
from jaxnn.layers.cells import CELLS

FOLDER = Path(__file__).parent / "layers"
#: Functions whose derivation and code stand on the page of a public name, too.
BESIDE = {"recur": tuple(CELLS.values()), "attention": (attend, attend_back)}
#: Public names without a derivation of their own.
WITHOUT_PAGE = ("autodiff", "optimizer")
HOW_TO_READ = (
    "[How to read a certificate](../guide/reading_a_certificate.md) explains `dy`, the laws, the numbers and the "
    "planted mistakes."
)


def page(name: str, certificate: dict[str, Any], mutants: list[dict[str, str]]) -> str:
    """The page of a public name; `certificate` is its row of `jaxnn certify --json`."""
    text, code = docstring_and_code(constructor(name))
    parts = [f"# {name}", HOW_TO_READ, text, "## Code", code]
    for function in BESIDE.get(name, ()):
        parts += [f"### {function.__name__}", *docstring_and_code(function)]
    parts += ["## Certificate", certificate_tables(certificate)]
    mutants_of_name = [mutant for mutant in mutants if mutant["name"] == name]
    if mutants_of_name:
        parts += [
            "## Planted mistakes, and the law that detects each",
            "| mistake | law |\n|---|---|\n"
            + "\n".join(f"| {m['mutant'].split(': ', 1)[1]} | {m['killed by']} |" for m in mutants_of_name),
        ]
    return "\n\n".join(parts) + "\n"


def docstring_and_code(function: Callable[..., Any]) -> tuple[str, str]:
    """The docstring of a function, and its module and its code without the docstring, as Markdown."""
    text = inspect.getdoc(function) or ""
    code = inspect.getsource(function).replace('"""' + (function.__doc__ or "") + '"""', '"""…"""')
    return f"```text\n{text}\n```", f"`{function.__module__}`\n\n```python\n{code}```"


def certificate_tables(certificate: dict[str, Any]) -> str:
    """The worst measurement of each law with its bound, and the costs of the hand-written pass and of autodiff."""
    worst: dict[str, dict[str, Any]] = {}
    for entry in certificate["laws"]:
        previous = worst.get(entry["law"])
        if previous is None or entry["measured"] * previous["bound"] > previous["measured"] * entry["bound"]:
            worst[entry["law"]] = entry
    lines = ["| law | measured | bound |", "|---|---|---|"]
    lines += [f"| {e['number']} {e['law']} | {e['measured']:.1e} | {e['bound']:.1e} |" for e in worst.values()]
    cost = certificate["cost"]
    if cost:
        lines += ["", "| forward and backward | hand-written | autodiff |", "|---|---|---|"]
        for field in ("residual_bytes", "temporary_bytes", "flops"):
            hand_written, autodiff = (f"{cost[side][field]:,}" for side in ("hand_written", "autodiff"))
            lines.append(f"| {field.replace('_', ' ')} | {hand_written} | {autodiff} |")
        times = (1e3 * cost[side]["seconds"] for side in ("hand_written", "autodiff"))
        lines.append("| milliseconds | " + " | ".join(f"{ms:.3f}" for ms in times) + " |")
    return "\n".join(lines)


def index(names: list[str], mutants: list[dict[str, str]]) -> str:
    """The list of pages, and the whole table of mutants."""
    head = [
        "# Layers, combinators, losses and models",
        "Each page has the formula, derivation, code and certificate. `python docs/make.py` writes the pages from the "
        "docstrings and the output of `jaxnn certify`. Times were measured on two CPU cores. " + HOW_TO_READ,
        "\n".join(f"- [{name}]({name}.md)" for name in names),
        "## Mutants",
        f"`jaxnn certify --mutants`: {len(mutants)} mistakes in the backward code, and the law that detects each.",
        "| mistake | law |\n|---|---|\n" + "\n".join(f"| {m['mutant']} | {m['killed by']} |" for m in mutants),
    ]
    return "\n\n".join(head) + "\n"


def write_layers(certificate_file: str, mutants_file: str) -> None:
    certificates = {row["name"]: row for row in json.loads(Path(certificate_file).read_text())["rows"]}
    mutants = json.loads(Path(mutants_file).read_text())["rows"]
    names = [name for name in NAMES if name not in WITHOUT_PAGE]
    FOLDER.mkdir(exist_ok=True)
    for name in names:
        (FOLDER / f"{name}.md").write_text(page(name, certificates[name], mutants), encoding="utf-8")
    (FOLDER / "README.md").write_text(index(names, mutants), encoding="utf-8")


if __name__ == "__main__":
    (FOLDER.parent / "config.md").write_text(config_page(), encoding="utf-8")
    if sys.argv[1:]:
        write_layers(*sys.argv[1:])
