"""Pieces of work that workers share over a folder: each is done once, whoever dies, sleeps or comes late."""

import os
import threading
import time

import pytest

from jaxnn.errors import UserError
from jaxnn.storage.claims import Claims


def old(folder, name):
    """Makes a claim one that was not touched for a long time."""
    os.utime(folder / name, (1, 1))


@pytest.fixture
def worker(tmp_path):
    """Makes a worker in the same folder."""
    return lambda silence=5.0: Claims(tmp_path, silence)


def test_one_of_many_workers_alone_makes_a_claim(worker):
    for piece in ("a", "b", "c"):
        start, won = threading.Barrier(16), []

        def take(piece=piece, start=start, won=won):
            claims = worker()
            start.wait()
            if claims.take(piece):
                won.append(claims)

        threads = [threading.Thread(target=take) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1


def test_claim_that_is_silent_is_taken_over_by_one_who_is_the_only_one_to_be_told(tmp_path, worker):
    first, second, third = worker(), worker(), worker()
    assert first.take("a") and not second.take("a") and not first.is_overtaken()
    old(tmp_path, "a.0")
    assert second.take("a") and not third.take("a")
    assert first.is_overtaken() and not second.is_overtaken()
    # The first wakes up and touches its claim: that does not give it back.
    os.utime(tmp_path / "a.0")
    assert not first.take("a") and first.is_overtaken()
    old(tmp_path, "a.1")
    assert third.take("a") and second.is_overtaken()


def test_claim_is_touched_while_its_worker_works(tmp_path, worker):
    claims, other = worker(0.4), worker(0.4)
    with claims.working():
        assert claims.take("a")
        time.sleep(1)
        assert not other.take("a") and [claim.pid for claim in other.living()] == [os.getpid()]
    # It has left: others need not wait.
    assert other.living() == [] and other.take("a")


def test_silence_is_measured_by_the_clock_of_the_folder(tmp_path, worker, monkeypatch):
    claims = worker(5)
    assert claims.take("a")
    monkeypatch.setattr(time, "time", lambda: pytest.fail("the clock of this machine was asked"))
    monkeypatch.setattr(Claims, "now", lambda self: (tmp_path / "a.0").stat().st_mtime + 4)
    assert not worker(5).take("a")
    monkeypatch.setattr(Claims, "now", lambda self: (tmp_path / "a.0").stat().st_mtime + 6)
    assert worker(5).take("a")


def test_workers_do_every_piece_once(worker):
    pieces, done, did = [f"{i}" for i in range(40)], set(), []

    def work(piece):
        did.append(piece)
        time.sleep(0.002)
        done.add(piece)

    threads = [threading.Thread(target=worker().work_through, args=(pieces, done.__contains__, work)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(did) == sorted(pieces)


def test_worker_takes_over_from_one_that_died(tmp_path, worker):
    assert worker().take("a")
    old(tmp_path, "a.0")
    done = []
    worker().work_through(["a", "b"], done.__contains__, done.append)
    assert sorted(done) == ["a", "b"]


def test_pieces_that_are_preferred_come_first(worker):
    done = []
    worker().work_through(["a", "b", "c"], done.__contains__, done.append, preferred=lambda piece: piece == "a")
    assert done == ["b", "c", "a"]


def test_error_of_a_worker_counts_unless_it_was_overtaken(tmp_path, worker):
    done, claims = [], worker()

    def fail(piece):
        raise UserError("no room")

    with pytest.raises(UserError, match="no room"):
        claims.work_through(["a"], done.__contains__, fail)

    def overtaken(piece):
        (tmp_path / "b.1").touch()
        done.append(piece)
        raise UserError("the file has gone")

    claims.work_through(["b"], done.__contains__, overtaken)
    assert done == ["b"]


def test_folder_that_was_removed_after_the_work_ended_is_no_error(tmp_path):
    claims = Claims(tmp_path / "gone", 1)
    assert not claims.take("a") and claims.living() == []
