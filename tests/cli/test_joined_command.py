"""`jaxnn sweep --join` and `jaxnn train --seeds --join`: the results of one worker, and what is refused."""

import os

import pytest

from jaxnn.cli.joined import threads_of
from jaxnn.cli.options import JoinOptions
from jaxnn.storage.files import write_checksummed_json
from jaxnn.sweep import sweep
from jaxnn.sweep.folder import SWEEP_FILE, JoinedFacts, Request, join, read_facts, read_results
from jaxnn.sweep.joined import CLAIMS
from jaxnn.sweep.tables import csv_text, member_rows
from tests.sweep.stored import AXES, SHORT, content, store_in

WORDS = ["digits_mlp", *(word for text in SHORT for word in (f"--{text.partition('=')[0]}", text.partition("=")[2]))]
OVER = ["--over", "optimizer.learning_rate=0.002,0.02,1e30", "--over", "net.1.units=5,7", "--seeds", "2"]


def test_table_and_weights_are_those_of_a_sweep_that_nobody_joins(jaxnn, tmp_path):
    whole = sweep("digits_mlp", AXES, SHORT, seeds=2, store=store_in(tmp_path / "whole"))
    assert jaxnn("sweep", *WORDS, *OVER, "--join", tmp_path / "out", "--part", 2)[0] == 0
    assert (tmp_path / "out" / "sweep.csv").read_text() == csv_text(member_rows(whole), 2)
    assert content(tmp_path / "out") == content(tmp_path / "whole")
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        "best.toml", "figures", "members", "report.html", "source.toml", "sweep.csv", "sweep.json", "trials",
    }  # fmt: skip
    # Who comes late finds the results.
    status, out, _ = jaxnn("sweep", *WORDS, *OVER, "--join", tmp_path / "out", "--part", 2)
    assert status == 0 and "6 members × 2 seeds" in out
    assert "6 of 6 results, finished" in jaxnn("sweep", "--status", tmp_path / "out")[1]


def test_sweep_goes_on_where_a_worker_died(jaxnn, tmp_path, trained):
    words = ["sweep", *WORDS, *OVER, "--join", tmp_path / "out", "--part", 1]
    assert jaxnn(*words)[0] == 0
    rows = len(trained)
    expected = (tmp_path / "out" / "sweep.csv").read_bytes()
    # As it was while the last two members trained, and the worker of one of them had died.
    folder, facts = tmp_path / "out", read_facts(tmp_path / "out")

    write_checksummed_json(folder / SWEEP_FILE, read_results(folder) | {"status": "running"})
    results = sorted((folder / "trials").iterdir())
    for path in results[:2]:
        path.unlink()
    (folder / CLAIMS).mkdir()
    status, out, _ = jaxnn("sweep", "--status", folder)
    assert status == 0 and "4 of 6 results, 0 workers" in out and "best so far" in out
    status, _, err = jaxnn("resume", folder)
    assert status == 0, err
    assert len(trained) == rows + 2 * 2 and (folder / "sweep.csv").read_bytes() == expected
    assert facts.request.joined is not None and not (folder / CLAIMS).exists()


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (["--seeds", "3"], "seeds 2 there, 3 here"),
        (["--keep", "3"], "keep 10 there, 3 here"),
        (["--train.epochs", "5"], "overrides"),
        (["--silence", "7"], "'silence': 30.0"),
        (["--out", "x"], "--join: expected no --out"),
        (["--workers", "0"], "--workers: expected at least 1"),
        (["--silence", "0"], "--silence: expected more than 0"),
    ],
)
def test_worker_with_another_command_is_refused(jaxnn, tmp_path, more, expected, shared_folder):
    status, _, err = jaxnn("sweep", *WORDS, *OVER, "--join", shared_folder, *more)
    assert status == 2 and expected in err and err.count("\n") == 1


@pytest.fixture(scope="module")
def shared_folder(tmp_path_factory):
    """A folder of a sweep that has begun."""
    folder = tmp_path_factory.mktemp("joined") / "out"
    joined = JoinedFacts(part=None, silence=30.0, threads=threads_of(JoinOptions(join=folder), "sweep.json"))
    numbers = {"search": "grid", "seeds": 2, "trials": 16, "batch": 8, "eta": 3, "draw_seed": 0, "keep": 10}
    request = Request(
        source="digits_mlp", overrides=SHORT, over=list(OVER[1:4:2]), draw=[], grad="hand", precision="float32",
        deterministic=False, command=[], joined=joined, **numbers,
    )  # fmt: skip
    join(folder, request)
    return folder


def test_folder_of_something_else_is_refused(jaxnn, tmp_path):
    (tmp_path / "file").touch()
    for command in ("sweep", "train"):
        over = OVER if command == "sweep" else ["--seeds", "2"]
        status, _, err = jaxnn(command, *WORDS, *over, "--join", tmp_path)
        assert status == 2 and "found something else" in err
        status, _, err = jaxnn(command, "--status", tmp_path)
        assert status == 2 and "--join DIR" in err


@pytest.mark.parametrize("patience", [[], ["--train.patience", "1", "--optimizer.learning_rate", "0.3"]])
def test_seeds_that_workers_share_are_a_run_as_one_process_trains_it(jaxnn, tmp_path, patience):
    words = ["train", *WORDS, "--seeds", 5, "--seed", 2, *patience]
    assert jaxnn(*words, "--out", tmp_path / "whole")[0] == 0
    status, _, err = jaxnn(*words, "--join", tmp_path / "out", "--part", 2)
    assert status == 0, err
    for name in ("best.safetensors", "last.safetensors", "history.csv"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    assert not [name for name in ("claims", "parts", "running") if (tmp_path / "out" / name).exists()]
    assert jaxnn(*words, "--join", tmp_path / "out", "--part", 2)[0] == 0
    assert "5 seeds, finished" in jaxnn("train", "--status", tmp_path / "out")[1]
    status, _, err = jaxnn(*words, "--join", tmp_path / "out", "--part", 3)
    assert status == 2 and "part 2 there, 3 here" in err
    assert jaxnn("rerun", tmp_path / "out")[0] == 0


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--devices", "2"], "expected each worker to train alone"),
        (["--from", "x"], "found --from"),
        (["--train.on_nonfinite", "rollback"], "found rollback"),
        (["--overwrite"], "expected no --out and no --overwrite"),
    ],
)
def test_seeds_that_cannot_be_shared_are_refused(jaxnn, tmp_path, words, expected):
    status, _, err = jaxnn("train", *WORDS, "--join", tmp_path / "out", *words)
    assert status == 2 and expected in err and not os.path.exists(tmp_path / "out")
