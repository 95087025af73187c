"""docs/config.md has every key of a config, with its meaning, as the schema has it today."""

import re
import sys
from pathlib import Path

import optax
import pytest

from jaxnn.config import fields, variants

DOCS = Path(__file__).parents[2] / "docs"
HINT = "run `python docs/make.py`"
#: The sections whose keys are those of the installed optax.
OPTAX = r"^## (?:Optimizers|Schedules)\n.*?(?=^## |\Z)"


@pytest.fixture
def generated(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    monkeypatch.delitem(sys.modules, "config_page", raising=False)
    from config_page import config_page  # pyright: ignore[reportMissingImports]

    return config_page()


def test_config_page_is_up_to_date(generated):
    page = (DOCS / "config.md").read_text(encoding="utf-8")
    if f"as version {optax.__version__} has them" not in page:  # another optax than that of the page
        page, generated = (re.sub(OPTAX, "", text, flags=re.MULTILINE | re.DOTALL) for text in (page, generated))
    assert page == generated, HINT


def test_config_page_has_every_key_with_a_meaning():
    page = (DOCS / "config.md").read_text(encoding="utf-8")
    for field in fields():
        assert field.help and f"| `{field.name.rpartition('.')[2]}` | {field.type} |" in page, (field, HINT)
    for kind, names in variants().items():
        for name, keys in names.items():
            assert f"`{name}`" in page, (kind, name, HINT)
            assert all(f"`{key.name}`" in page for key in keys), (kind, name, HINT)
    empty = [line for line in page.splitlines() if line.startswith("| `") and line.count(" |") == 4 and "|  |" in line]
    assert not empty, "describe each option in the loader's docstring: `name: meaning`"


def test_fields_and_variants_name_keys_that_a_config_takes():
    names = {field.name for field in fields()}
    assert {
        "data.train",
        "augment.elastic",
        "compare.optimizer",
        "compare.batch_size",
        "optimizer.groups.match",
    } <= names
    options = {
        (kind, name): {key.name for key in keys} for kind, table in variants().items() for name, keys in table.items()
    }
    assert options["data", "csv"] >= {"path", "label", "delimiter"} and options["layer", "residual"] == {"layers"}
    assert options["loss", "quadratic"] == {"reduction"} and "b1" in options["optimizer", "adam"]
    assert "decay_steps" in options["schedule", "cosine_decay_schedule"]
