"""A sweep keeps what it has: it resumes to the bit, trains nothing twice, and its best members are runs."""

import numpy as np
import pytest

from jaxnn.errors import UserError
from jaxnn.runs.run import load_run
from jaxnn.sweep import parse_axes, sweep
from jaxnn.sweep.space import sample
from jaxnn.sweep.store import identity
from jaxnn.sweep.tables import member_rows
from tests.sweep.stored import AXES, SHORT, Killed, content, store_in


def test_rows_that_were_stopped_while_they_trained_continue(tmp_path, monkeypatch):
    axes = parse_axes(["optimizer.learning_rate=0.002,0.02"])
    whole = sweep("digits_mlp", axes, SHORT, seeds=1, store=store_in(tmp_path / "whole"))

    def kill(where, progress):
        if progress.done >= 2:
            raise Killed

    monkeypatch.setattr("jaxnn.engine.driver.ChunkSchedule.next", lambda self, done, seconds: 5)
    with pytest.raises(Killed):
        sweep("digits_mlp", axes, SHORT, seeds=1, store=store_in(tmp_path / "cut", save_seconds=0.0), report=kill)
    (running,) = (tmp_path / "cut" / "running").iterdir()
    assert max(int(path.name) for path in (running / "checkpoints").iterdir()) >= 5
    starts = []
    monkeypatch.setattr("jaxnn.sweep.rows.drive", recording_drive(starts))
    result = sweep("digits_mlp", axes, SHORT, seeds=1, store=store_in(tmp_path / "cut"))
    assert [start.steps for start in starts] == [5]
    assert member_rows(result) == member_rows(whole)
    assert content(tmp_path / "cut") == content(tmp_path / "whole")
    assert not (tmp_path / "cut" / "running").exists()


def recording_drive(starts):
    from jaxnn.engine.driver import drive

    def recorded(job, hooks, start):
        starts.append(start)
        return drive(job, hooks, start)

    return recorded


def test_kept_member_is_a_run_that_predicts_as_it_was_measured(tmp_path):
    store = store_in(tmp_path / "out")
    result = sweep("digits_mlp", AXES, SHORT, seeds=2, keep=3, store=store)
    assert len(result.kept) == 3 and result.best is not None
    run = load_run(store.member_folder(result.kept[0])).with_data()
    assert run.manifest is not None and run.manifest["run"] == result.kept[0]
    assert run.experiment.test is not None
    x, target = run.experiment.test
    predicted = np.stack([run.predict(x, seed).argmax(-1) for seed in range(2)])
    np.testing.assert_allclose((predicted == target).mean(1), result.scores["test"]["accuracy"], atol=1e-6)
    assert sorted(path.name for path in (tmp_path / "out" / "members").iterdir()) == sorted(result.kept)


def test_damaged_result_of_a_trial_is_refused_in_one_line(tmp_path):
    store = store_in(tmp_path / "out")
    axes = parse_axes(["optimizer.learning_rate=0.002,0.02"])
    sweep("digits_mlp", axes, SHORT, seeds=1, store=store)
    file = next((tmp_path / "out" / "trials").iterdir())
    file.write_bytes(file.read_bytes().replace(b'"epochs": 4', b'"epochs": 5'))
    with pytest.raises(UserError, match=r"\.json: is damaged: its SHA-256 is not the one that was written"):
        sweep("digits_mlp", axes, SHORT, seeds=1, store=store)


def test_no_member_of_a_grid_is_trained_twice_however_it_is_written(trained):
    axes = parse_axes(["optimizer.learning_rate=0.01,1e-2,.01,0.02", "net.3.rate=0.5,5e-1"])
    result = sweep("digits_mlp", axes, SHORT, seeds=1)
    assert len(result.trials) == 2 and len(set(trained)) == 2
    assert len({identity(trial.member) for trial in result.trials}) == 2


def test_random_search_draws_no_combination_twice_and_all_of_a_small_space():
    axes = parse_axes(["net.1.units=5,7"], ["net.3.rate=choice(0.1,0.2,0.3)"])
    drawn = [tuple(values.values()) for values in sample(axes, 6, seed=0)]
    assert len(set(drawn)) == len(drawn) == 6
    assert [tuple(values.values()) for values in sample(axes, 50, seed=0)] == drawn
    assert [tuple(values.values()) for values in sample(axes, 3, seed=0)] == drawn[:3]


def test_optuna_trains_no_member_twice_and_ends_with_the_space(trained):
    pytest.importorskip("optuna")
    axes = parse_axes(["net.3.rate=0.1,0.2,0.3"])
    result = sweep("digits_mlp", axes, SHORT, search="optuna", trials=8, batch=2, seeds=1)
    assert sorted(trial.member.values["net.3.rate"] for trial in result.trials) == ["0.1", "0.2", "0.3"]
    integers = parse_axes([], ["net.1.units=integer(4,7)"])
    result = sweep("digits_mlp", integers, SHORT, search="optuna", trials=3, batch=3, seeds=1)
    assert len({trial.member.values["net.1.units"] for trial in result.trials}) == 3
