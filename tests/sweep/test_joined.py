"""A search that several workers share: the results of one, each trained once."""

import threading

import jax
import pytest

from jaxnn.storage.claims import Claims
from jaxnn.sweep import search_space, sweep
from jaxnn.sweep.joined import CLAIMS, check_same_data
from jaxnn.sweep.store import Joined
from tests.sweep.stored import AXES, SHORT, store_in

SEARCHES = {
    "grid": {},
    "halving": {"search": "halving", "eta": 2},
    "optuna": {"search": "optuna", "trials": 5, "batch": 2},
}


@pytest.mark.parametrize("options", SEARCHES.values(), ids=SEARCHES)
def test_workers_that_search_together_find_what_one_finds(tmp_path, trained, options):
    whole = sweep("digits_mlp", AXES, SHORT, seeds=2, keep=2, store=store_in(tmp_path / "whole"), **options)
    total = len(trained)
    trained.clear()
    searched, folder = [], tmp_path / "shared"
    store_in(folder)

    def work():
        claims = Claims(folder / CLAIMS, 20)
        # What the fixtures set holds for one thread.
        with jax.numpy_dtype_promotion("standard"), jax.enable_x64(False), claims.working():
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


def test_worker_with_other_data_is_refused_and_leaves_nothing(tmp_path):
    check_same_data(tmp_path, "table", "a" * 64)
    check_same_data(tmp_path, "table", "a" * 64)
    check_same_data(tmp_path, "another table", "b" * 64)
    with pytest.raises(ValueError, match="expected the data that another worker has found, SHA-256 aaaaaaaaaaaa…"):
        check_same_data(tmp_path, "table", "b" * 64)
    check_same_data(tmp_path, "table", "a" * 64)
