"""A sweep that stopped after any of its members continues, and ends as the sweep that did not stop."""

import pytest

from jaxnn.sweep import sweep
from jaxnn.sweep.store import TrialStore
from jaxnn.sweep.tables import member_rows
from tests.sweep.stored import AXES, SHORT, Killed, content, store_in


@pytest.mark.parametrize("options", [{}, {"search": "halving", "eta": 2}], ids=["grid", "halving"])
@pytest.mark.parametrize("stop_after", [1, 3, 5])
def test_sweep_that_was_stopped_equals_one_that_was_not(tmp_path, monkeypatch, trained, options, stop_after):
    whole = sweep("digits_mlp", AXES, SHORT, seeds=2, keep=2, store=store_in(tmp_path / "whole"), **options)
    total, rows = len(trained), member_rows(whole)
    save, saved = TrialStore.save, []

    def kill(self, *args):
        save(self, *args)
        saved.append(args[0])
        if len(saved) == stop_after:
            raise Killed

    monkeypatch.setattr(TrialStore, "save", kill)
    with pytest.raises(Killed):
        sweep("digits_mlp", AXES, SHORT, seeds=2, keep=2, store=store_in(tmp_path / "cut"), memory=1, **options)
    before = len(trained)
    result = sweep("digits_mlp", AXES, SHORT, seeds=2, keep=2, store=store_in(tmp_path / "cut"), **options)
    assert member_rows(result) == rows and result.kept == whole.kept
    assert content(tmp_path / "cut") == content(tmp_path / "whole") and len(content(tmp_path / "cut")) == 2 * 4
    # What was saved was not trained again.
    assert 0 < len(trained) - before <= total - 2 * stop_after
