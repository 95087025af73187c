"""The notebooks run from top to bottom, without MNIST and in short, and are stored with what they showed."""

import os
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def kinds(cell):
    """What a cell showed: text, pictures; two lines of text are one text."""
    return {"text" if "text" in o else tuple(sorted(o.get("data", {}))) for o in cell.outputs}


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def stored(request):
    notebook = nbformat.read(request.param, as_version=4)
    nbformat.validate(notebook)
    return notebook


def test_there_is_a_notebook_for_each_lecture():
    assert [path.name[0] for path in NOTEBOOKS] == ["1", "2", "3", "4"]


# Jupyter's own, while it starts a kernel.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::RuntimeWarning")
def test_it_runs_and_shows_what_is_stored(stored, tmp_path, monkeypatch):
    monkeypatch.delenv("JAXNN_DATA_DIR", raising=False)
    monkeypatch.setenv("JAXNN_QUICK", "1")
    monkeypatch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")  # most of a short run is compiling
    shown = [kinds(cell) for cell in code(stored)]
    # A cell that fails raises, with its traceback.
    again = NotebookClient(stored, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert [kinds(cell) for cell in code(again)] == shown
    assert not list(tmp_path.iterdir())


def test_it_is_stored_as_it_ran_from_top_to_bottom(stored):
    cells = code(stored)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert not [o for o in outputs if o.output_type == "error" or o.get("name") == "stderr"]
    assert any("image/png" in o.get("data", {}) for o in outputs)


def test_its_outputs_name_no_machine(stored):
    text = "".join(
        str(o.get("text", "")) + str(o.get("data", {}).get("text/plain", "")) for c in code(stored) for o in c.outputs
    )
    assert not re.search(r"(?:^|[\s'\"(])(?:/[\w.-]+){2,}", text)
    assert os.uname().nodename not in text


def test_it_calls_the_library_and_defines_nothing_of_length(stored):
    for cell in code(stored):
        long = re.findall(r"^(?:def|class) .*\n(?:[ \t]+.*\n?){3,}", cell.source, re.M)
        assert not long, long


def test_hand_derived_and_autodiff_stand_side_by_side(stored):
    source = "".join(cell.source for cell in code(stored))
    assert re.search(r"jax\.(?:grad|vjp)\(|dense_gradients\(", source)
