"""Writes docs/layers/*.md, a page for each layer, combinator, loss and model, from its docstring, code and certificate.

jaxnn certify --json certificate.json && jaxnn certify --mutants --json mutants.json
python docs/make.py certificate.json mutants.json
"""

import inspect
import json
import sys
from pathlib import Path
from typing import Any

from jaxnn.certify.cases import constructor
from jaxnn.cli.certify_targets import NAMES

FOLDER = Path(__file__).parent / "layers"
#: Written by nobody: it has no derivation.
WITHOUT = ("autodiff", "optimizer")


def page(name: str, certificate: dict[str, Any], mutants: list[dict[str, str]]) -> str:
    """The page of a public name; `certificate` is its part of `jaxnn certify --json`."""
    made = constructor(name)
    text = inspect.getdoc(made) or ""
    code = inspect.getsource(made).replace('"""' + (made.__doc__ or "") + '"""', '"""…"""')
    parts = [f"# {name}", "```text\n" + text + "\n```", "## Code", f"`{made.__module__}`", f"```python\n{code}```"]
    parts += ["## Certificate", row(certificate)]
    own = [m for m in mutants if m["name"] == name]
    if own:
        parts += [
            "## Mistakes that were planted, and the law that noticed",
            "| mistake | law |\n|---|---|\n"
            + "\n".join(f"| {m['mutant'].split(': ', 1)[1]} | {m['killed by']} |" for m in own),
        ]
    return "\n\n".join(parts) + "\n"


def row(certificate: dict[str, Any]) -> str:
    """Worst figure of each law against its bound, and the account by hand and by autodiff."""
    laws: dict[str, dict[str, Any]] = {}
    for entry in certificate["laws"]:
        old = laws.get(entry["law"])
        if old is None or entry["measured"] * old["bound"] > old["measured"] * entry["bound"]:
            laws[entry["law"]] = entry
    lines = ["| law | measured | bound |", "|---|---|---|"]
    lines += [f"| {e['number']} {e['law']} | {e['measured']:.1e} | {e['bound']:.1e} |" for e in laws.values()]
    account = certificate["account"]
    if account:
        lines += ["", "| forward and backward | by hand | by autodiff |", "|---|---|---|"]
        for key in ("residual_bytes", "temporary_bytes", "flops"):
            lines.append(f"| {key.replace('_', ' ')} | {account['hand'][key]:,} | {account['auto'][key]:,} |")
        times = (1e3 * account[side]["seconds"] for side in ("hand", "auto"))
        lines.append("| milliseconds | " + " | ".join(f"{ms:.3f}" for ms in times) + " |")
    return "\n".join(lines)


def index(names: list[str], mutants: list[dict[str, str]]) -> str:
    """The list of pages, and the whole table of mutants."""
    head = [
        "# Layers, combinators, losses and models",
        "One page each: formula, derivation, code, certificate; made by `python docs/make.py` from the docstrings and "
        "`jaxnn certify`. Times are of two CPU cores.",
        "\n".join(f"- [{name}]({name}.md)" for name in names),
        "## Mutants",
        f"`jaxnn certify --mutants`: {len(mutants)} mistakes in the backward code, and the law that noticed each.",
        "| mistake | law |\n|---|---|\n" + "\n".join(f"| {m['mutant']} | {m['killed by']} |" for m in mutants),
    ]
    return "\n\n".join(head) + "\n"


def main(certificate_file: str, mutants_file: str) -> None:
    certificates = {row["name"]: row for row in json.loads(Path(certificate_file).read_text())["rows"]}
    mutants = json.loads(Path(mutants_file).read_text())["rows"]
    names = [name for name in NAMES if name not in WITHOUT]
    FOLDER.mkdir(exist_ok=True)
    for name in names:
        (FOLDER / f"{name}.md").write_text(page(name, certificates[name], mutants), encoding="utf-8")
    (FOLDER / "README.md").write_text(index(names, mutants), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
