"""The pages of docs/layers say what the docstrings and the code say today."""

import inspect
from pathlib import Path

import pytest

from jaxnn.certify.cases import constructor
from jaxnn.certify.library_mutants import MUTANTS
from jaxnn.cli.certify_targets import NAMES

FOLDER = Path(__file__).parents[2] / "docs" / "layers"


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("autodiff", "optimizer")])
def test_a_page_is_as_its_docstring_and_code_are(name):
    page, made = (FOLDER / f"{name}.md").read_text(encoding="utf-8"), constructor(name)
    hint = "run the commands at the head of docs/make.py"
    assert (inspect.getdoc(made) or "") in page, hint
    body = inspect.getsource(made).split('"""')[-1]
    assert body in page, hint


def test_the_table_of_mutants_is_whole():
    index = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert [mutant.name for mutant in MUTANTS if f"| {mutant.name} |" not in index] == []
