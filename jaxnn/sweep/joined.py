"""A sweep that several processes train, on one machine or on several with a shared folder.

All of them run the same search. They share the members of each round of it in pieces of some members; a piece is a
program of a fixed number of rows, so it has the same bits whoever trains it. A worker that has trained a piece writes
the result of each member; a worker that needs a member's result waits until it is there. So all workers know the same
results, in the same order, and go on alike: to the next rung of halving, to the same proposals of optuna.
"""

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jaxnn.engine.hooks import Progress
from jaxnn.engine.snapshot import Snapshot
from jaxnn.errors import UserError
from jaxnn.storage.files import write_error
from jaxnn.sweep.rows import GroupRows
from jaxnn.sweep.store import KEY_LENGTH, GroupStore, Joined

#: A round of a search is cut into at most so many pieces, unless the sweep was told the members of a piece.
MOST_PIECES = 64
#: The folder of the claims in that of a sweep.
CLAIMS = "claims"
#: The folder with the checksums of the data that the workers have found.
DATA = "data"


class Round(NamedTuple):
    """The members of one program in a round of a search, with what is kept of them.

    states: where each begins; None: at its first step
    save(i, snapshot): keeps the trial of a member that is trained
    """

    work: GroupRows
    kept: GroupStore
    states: Mapping[int, Snapshot | None]
    save: Callable[[int, Snapshot], None]


def pieces_of(rounds: Sequence[Round], size: int | None) -> dict[str, tuple[int, tuple[int, ...]]]:
    """The pieces of a round of a search by name: the position of the program, and those of the members in it.

    size: members of a piece; None: so many that there are at most `MOST_PIECES`
    """
    total = sum(len(each.kept.keys) for each in rounds)
    size = size or -(-total // MOST_PIECES)
    pieces = {}
    for number, each in enumerate(rounds):
        keys = each.kept.keys
        for start in range(0, len(keys), size):
            positions = tuple(range(start, min(start + size, len(keys))))
            text = json.dumps([each.kept.epochs, [keys[i] for i in positions]])
            pieces[hashlib.sha256(text.encode()).hexdigest()[:KEY_LENGTH]] = (number, positions)
    return pieces


def train_together(joined: Joined, rounds: Sequence[Round], report: Callable[[int, int, Progress], None]) -> None:
    """Trains the members of a round of a search with the other workers; at the end, each has a result in the store."""
    pieces = pieces_of(rounds, joined.size)
    done: set[str] = set()
    members_of_piece = max((len(positions) for _, positions in pieces.values()), default=0)
    total = sum(len(each.kept.keys) for each in rounds)
    programs: list[int] = []

    def is_done(piece: str) -> bool:
        number, positions = pieces[piece]
        if piece not in done and all(rounds[number].kept.has_result(i) for i in positions):
            done.add(piece)
        return piece in done

    def work(piece: str) -> None:
        number, positions = pieces[piece]
        programs.append(number)
        each = rounds[number]
        seeds = len(each.work.experiment.seeds)
        rows = sum(len(pieces[name][1]) for name in done) * seeds
        begun = [i for i in positions if each.states[i] is not None]
        for some in (begun, [i for i in positions if i not in begun]):
            progress, size = (rows, total * seeds), members_of_piece * seeds
            for i, snapshot in each.work.train(some, each.states, None, report, progress, each.kept, size):
                each.save(i, snapshot)

    def preferred(piece: str) -> int:
        # A worker stays with the program that it has compiled.
        return int(bool(programs) and pieces[piece][0] != programs[-1])

    joined.claims.work_through(list(pieces), is_done, work, preferred, joined.wait)


def check_same_data(folder: Path, table: str, digest: str) -> None:
    """Raises `UserError` where another worker of the sweep in a folder has found other data in the same place.

    table: what names the data, such as the config's [data] table; digest: SHA-256 of what this worker found
    The first worker leaves a file with both in its name.
    """
    name, place = hashlib.sha256(table.encode()).hexdigest()[:KEY_LENGTH], folder / DATA
    own = place / f"{name}-{digest[:KEY_LENGTH]}"
    try:
        place.mkdir(exist_ok=True)
        is_new = not own.exists()
        own.touch()
    except OSError as error:
        raise write_error(own, error) from error
    others = [path.name for path in place.glob(f"{name}-*") if path.name != own.name]
    if others and is_new:
        own.unlink()
    if others:
        theirs = others[0][KEY_LENGTH + 1 :]
        raise UserError(
            f"{folder}: expected the data that another worker has found, SHA-256 {theirs}…, found others here, "
            f"{digest[:KEY_LENGTH]}…; give this worker the same files, or join another folder"
        )


def make_or_join(folder: Path, marker: str, make: Callable[[], None], what: str) -> bool:
    """Makes a folder that workers share, where there is none. True where another worker has made it before.

    marker: the file by which such a folder is recognized; what: it holds, in one word
    Raises `UserError` for a folder with anything else.
    """
    if (folder / marker).is_file():
        return True
    if os.path.lexists(folder) and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder}: expected a new folder or a {what} to join, found something else; choose another")
    try:
        make()
    except UserError:
        if not (folder / marker).is_file():  # else another worker has made it meanwhile
            raise
        return True
    return False


def differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """What two workers say of the same sweep that differs, in words, one for each name."""
    return [
        f"{name} {there.get(name)!r} there, {here.get(name)!r} here"
        for name in here
        if there.get(name) != here.get(name)
    ]
