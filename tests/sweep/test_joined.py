"""Sweeps and seeds that several workers share: the results of one, each trained once, and what is refused."""

import os
import threading

import pytest

from jaxnn.cli.main import main
from jaxnn.storage.claims import Claims
from jaxnn.sweep import search_space, sweep
from jaxnn.sweep.folder import read_facts
from jaxnn.sweep.joined import CLAIMS, check_same_data
from jaxnn.sweep.store import Joined
from jaxnn.sweep.tables import csv_text, member_rows
from tests.sweep.stored import AXES, SHORT, content, store_in

WORDS = ["digits_mlp", *(word for text in SHORT for word in (f"--{text.partition('=')[0]}", text.partition("=")[2]))]
OVER = ["--over", "optimizer.learning_rate=0.002,0.02,1e30", "--over", "net.1.units=5,7", "--seeds", "2"]
SEARCHES = {
    "grid": {},
    "halving": {"search": "halving", "eta": 2},
    "optuna": {"search": "optuna", "trials": 5, "batch": 2},
}


def run(capsys, *words):
    """The exit status of a command line, and what it printed."""
    status = 0
    try:
        main([str(word) for word in words])
    except SystemExit as error:
        status = error.code
    printed = capsys.readouterr()
    return status, printed.out, printed.err


@pytest.mark.parametrize("options", SEARCHES.values(), ids=SEARCHES)
def test_workers_that_search_together_find_what_one_finds(tmp_path, trained, options):
    whole = sweep("digits_mlp", AXES, SHORT, seeds=2, keep=2, store=store_in(tmp_path / "whole"), **options)
    total = len(trained)
    trained.clear()
    searched, folder = [], tmp_path / "shared"
    store_in(folder)

    def work():
        claims = Claims(folder / CLAIMS, 20)
        with claims.working():
            store = store_in(folder, joined=Joined(claims, size=1))
            searched.append(search_space("digits_mlp", AXES, SHORT, seeds=2, keep=2, store=store, **options))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(searched) == 2 and len(trained) == total
    for each in searched:
        assert [(t.member.values, t.epochs) for t in each.trials] == [(t.member.values, t.epochs) for t in whole.trials]
        assert [t.score.tolist() for t in each.trials if not t.diverged] == [
            t.score.tolist() for t in whole.trials if not t.diverged
        ]
        assert tuple(t.key for t in each.kept) == whole.kept
    # The states of the members that are not among the best have gone.
    assert {path.name for path in (folder / "members").iterdir()} == set(whole.kept)


def test_table_and_weights_are_those_of_a_sweep_that_nobody_joins(capsys, tmp_path):
    whole = sweep("digits_mlp", AXES, SHORT, seeds=2, store=store_in(tmp_path / "whole"))
    assert run(capsys, "sweep", *WORDS, *OVER, "--join", tmp_path / "out", "--part", 2)[0] == 0
    assert (tmp_path / "out" / "sweep.csv").read_text() == csv_text(member_rows(whole), 2)
    assert content(tmp_path / "out") == content(tmp_path / "whole")
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        "best.toml", "figures", "members", "report.html", "source.toml", "sweep.csv", "sweep.json", "trials",
    }  # fmt: skip
    # Who comes late finds the results.
    status, out, _ = run(capsys, "sweep", *WORDS, *OVER, "--join", tmp_path / "out", "--part", 2)
    assert status == 0 and "6 members × 2 seeds" in out
    assert "6 of 6 results, finished" in run(capsys, "sweep", "--status", tmp_path / "out")[1]


def test_sweep_goes_on_where_a_worker_died(capsys, tmp_path, trained):
    words = ["sweep", *WORDS, *OVER, "--join", tmp_path / "out", "--part", 1]
    assert run(capsys, *words)[0] == 0
    rows = len(trained)
    expected = (tmp_path / "out" / "sweep.csv").read_bytes()
    # As it was while the last two members trained, and the worker of one of them had died.
    folder, facts = tmp_path / "out", read_facts(tmp_path / "out")
    from jaxnn.storage.files import write_checksummed_json
    from jaxnn.sweep.folder import SWEEP_FILE, read_results

    write_checksummed_json(folder / SWEEP_FILE, read_results(folder) | {"status": "running"})
    results = sorted((folder / "trials").iterdir())
    for path in results[:2]:
        path.unlink()
    (folder / CLAIMS).mkdir()
    status, out, _ = run(capsys, "sweep", "--status", folder)
    assert status == 0 and "4 of 6 results, 0 workers" in out and "best so far" in out
    status, _, err = run(capsys, "resume", folder)
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
def test_worker_with_another_command_is_refused(capsys, tmp_path, more, expected, shared_folder):
    status, _, err = run(capsys, "sweep", *WORDS, *OVER, "--join", shared_folder, *more)
    assert status == 2 and expected in err and err.count("\n") == 1


@pytest.fixture(scope="module")
def shared_folder(tmp_path_factory):
    """A folder of a sweep that has begun."""
    from jaxnn.cli.joined import threads_of
    from jaxnn.cli.options import JoinOptions
    from jaxnn.sweep.folder import JoinedFacts, Request, join

    folder = tmp_path_factory.mktemp("joined") / "out"
    joined = JoinedFacts(part=None, silence=30.0, threads=threads_of(JoinOptions(join=folder), "sweep.json"))
    numbers = {"search": "grid", "seeds": 2, "trials": 16, "batch": 8, "eta": 3, "draw_seed": 0, "keep": 10}
    request = Request(
        source="digits_mlp", overrides=SHORT, over=list(OVER[1:4:2]), draw=[], grad="hand", precision="float32",
        deterministic=False, command=[], joined=joined, **numbers,
    )  # fmt: skip
    join(folder, request)
    return folder


def test_folder_of_something_else_is_refused(capsys, tmp_path):
    (tmp_path / "file").touch()
    for command in ("sweep", "train"):
        over = OVER if command == "sweep" else ["--seeds", "2"]
        status, _, err = run(capsys, command, *WORDS, *over, "--join", tmp_path)
        assert status == 2 and "found something else" in err
        status, _, err = run(capsys, command, "--status", tmp_path)
        assert status == 2 and "--join DIR" in err


def test_worker_with_other_data_is_refused_and_leaves_nothing(tmp_path):
    check_same_data(tmp_path, "table", "a" * 64)
    check_same_data(tmp_path, "table", "a" * 64)
    check_same_data(tmp_path, "another table", "b" * 64)
    with pytest.raises(ValueError, match="expected the data that another worker has found, SHA-256 aaaaaaaaaaaa…"):
        check_same_data(tmp_path, "table", "b" * 64)
    check_same_data(tmp_path, "table", "a" * 64)


@pytest.mark.parametrize("patience", [[], ["--train.patience", "1", "--optimizer.learning_rate", "0.3"]])
def test_seeds_that_workers_share_are_a_run_as_one_process_trains_it(capsys, tmp_path, patience):
    words = ["train", *WORDS, "--seeds", 5, "--seed", 2, *patience]
    assert run(capsys, *words, "--out", tmp_path / "whole")[0] == 0
    status, out, err = run(capsys, *words, "--join", tmp_path / "out", "--part", 2)
    assert status == 0, err
    for name in ("best.safetensors", "last.safetensors", "history.csv"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    assert not [name for name in ("claims", "parts", "running") if (tmp_path / "out" / name).exists()]
    assert run(capsys, *words, "--join", tmp_path / "out", "--part", 2)[0] == 0
    assert "5 seeds, finished" in run(capsys, "train", "--status", tmp_path / "out")[1]
    status, _, err = run(capsys, *words, "--join", tmp_path / "out", "--part", 3)
    assert status == 2 and "part 2 there, 3 here" in err
    assert run(capsys, "rerun", tmp_path / "out")[0] == 0


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--devices", "2"], "expected each worker to train alone"),
        (["--from", "x"], "found --from"),
        (["--train.on_nonfinite", "rollback"], "found rollback"),
        (["--overwrite"], "expected no --out and no --overwrite"),
    ],
)
def test_seeds_that_cannot_be_shared_are_refused(capsys, tmp_path, words, expected):
    status, _, err = run(capsys, "train", *WORDS, "--join", tmp_path / "out", *words)
    assert status == 2 and expected in err and not os.path.exists(tmp_path / "out")
