"""A sweep whose workers are killed and stopped at random ends as one that nothing was done to."""

from tests.scale.workers import shared_sweep


def test_workers_that_are_killed_and_stopped_lose_nothing_and_do_nothing_twice(tmp_path):
    storm, equal, results = shared_sweep(tmp_path, members=30, seeds=2, workers=3, every=1.5, silence=2)
    assert equal and results == 30
    assert storm.kills + storm.stops >= 3 and storm.failed == ()
    assert not list((tmp_path / "storm").rglob(".*"))
