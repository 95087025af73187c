"""The pages in docs/layers agree with the docstrings and the code."""

import inspect
import re
from pathlib import Path

import pytest

from jaxnn.certify.cases import constructor
from jaxnn.certify.laws import LAWS
from jaxnn.certify.library_mutants import MUTANTS
from jaxnn.cli.certify_targets import NAMES
from jaxnn.layers.cells import CELLS

FOLDER = Path(__file__).parents[2] / "docs" / "layers"


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("autodiff", "optimizer")])
def test_page_has_current_docstring_and_code(name):
    page, function = (FOLDER / f"{name}.md").read_text(encoding="utf-8"), constructor(name)
    hint = "run the commands in the docstring of docs/make.py"
    assert (inspect.getdoc(function) or "") in page, hint
    assert "](../guide/reading_a_certificate.md)" in page, hint
    body = inspect.getsource(function).split('"""')[-1]
    assert body in page, hint


def test_guide_explains_every_law_and_cost():
    guide = (FOLDER.parent / "guide" / "reading_a_certificate.md").read_text(encoding="utf-8")
    table = guide.split("| law |")[1].split("\n\n")[0]
    for law in LAWS.values():
        assert any(str(law.number) in row and law.name in row for row in table.splitlines()), law.name
    assert {4, 8, 9} <= {int(number) for number in re.findall(r"^\| (\d)", table, re.MULTILINE)}
    assert all(
        field.replace("_", " ") in guide for field in ("residual_bytes", "temporary_bytes", "flops", "milliseconds")
    )


def test_index_lists_every_mutant():
    index = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert [mutant.name for mutant in MUTANTS if f"| {mutant.name} |" not in index] == []


@pytest.mark.parametrize("cell", CELLS)
def test_page_of_recur_has_the_derivation_and_the_code_of_each_cell(cell):
    page = (FOLDER / "recur.md").read_text(encoding="utf-8")
    assert (inspect.getdoc(CELLS[cell]) or "") in page
    assert inspect.getsource(CELLS[cell]).split('"""')[-1] in page
