"""The notebooks run from top to bottom, in a short version without MNIST, and their stored outputs are complete."""

import os
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def output_kinds(cell):
    """The kinds of a cell's outputs: text or MIME types. Several texts count once."""
    return {"text" if "text" in o else tuple(sorted(o.get("data", {}))) for o in cell.outputs}


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def stored(request):
    notebook = nbformat.read(request.param, as_version=4)
    nbformat.validate(notebook)
    return notebook


def test_notebooks_are_numbered_in_the_order_of_the_course():
    assert [path.name[0] for path in NOTEBOOKS] == ["1", "2", "3", "4", "5", "6", "7"]


# Jupyter issues these warnings while it starts a kernel.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::RuntimeWarning")
def test_notebook_runs_with_the_stored_kinds_of_output(stored, tmp_path, monkeypatch):
    monkeypatch.delenv("JAXNN_DATA_DIR", raising=False)
    monkeypatch.setenv("JAXNN_QUICK", "1")
    monkeypatch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")  # a short run mostly compiles
    stored_kinds = [output_kinds(cell) for cell in code_cells(stored)]
    # A failing cell raises with its traceback.
    executed = NotebookClient(stored, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert [output_kinds(cell) for cell in code_cells(executed)] == stored_kinds
    assert not list(tmp_path.iterdir())


def test_notebook_is_stored_after_a_run_from_top_to_bottom(stored):
    cells = code_cells(stored)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert not [o for o in outputs if o.output_type == "error" or o.get("name") == "stderr"]
    assert any("image/png" in o.get("data", {}) for o in outputs)


def test_notebook_on_overfitting_shows_what_its_text_says():
    """L2 and dropout: a lower accuracy on the training part, whose labels are partly wrong, a higher one elsewhere."""
    notebook = nbformat.read(NOTEBOOKS[1], as_version=4)
    text = "".join(o.get("text", "") for cell in code_cells(notebook) for o in cell.outputs)
    rows = re.findall(r"^(plain|L2|dropout) +train +([\d.]+) % +others ([\d.]+) %", text, re.MULTILINE)
    train, others = ({name: float(row[i]) for name, *row in rows} for i in range(2))
    assert set(others) == {"plain", "L2", "dropout"}
    assert all(others[name] > others["plain"] + 5 and train[name] < train["plain"] for name in ("L2", "dropout"))


def test_notebook_outputs_contain_no_path_and_no_host_name(stored):
    outputs = [output for cell in code_cells(stored) for output in cell.outputs]
    text = "".join(str(o.get("text", "")) + str(o.get("data", {}).get("text/plain", "")) for o in outputs)
    assert not re.search(r"(?:^|[\s'\"(])(?:/[\w.-]+){2,}", text)
    assert os.uname().nodename not in text


def test_notebook_defines_no_long_function(stored):
    for cell in code_cells(stored):
        assert not long_functions(cell.source)


def long_functions(source):
    """The functions and classes of a cell with a body of three lines or more."""
    return re.findall(r"^(?:def|class) .*\n(?:[ \t]+.*\n){3,}", f"{source}\n", re.M)


def test_function_of_three_lines_is_long():
    assert long_functions("def f(x):\n    a = x\n    b = a\n    return b")
    assert not long_functions("def f(x):\n    return x\n\n\ndef g(x):\n    return f(x)")


def test_notebook_compares_hand_written_gradients_with_autodiff(stored):
    source = "".join(cell.source for cell in code_cells(stored))
    assert re.search(r"jax\.(?:grad|vjp)\(|dense_gradient_errors\(", source)
