"""`python -m tests.trust`: each promise of what a run survives and a file may do, with the figure found."""

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from jaxnn.runs import checkpoints
from tests.data import test_pickle_reader as pickles
from tests.trust import cost, damage, fault_injection, fresh, fuzz, hostile, kill, round_trips
from tests.trust.fork_server import Zygote

#: What is trained for damage to its files.
RUN = ("train", "digits_mlp", "--net.1.units", 7, "--train.epochs", 4, "--checkpoint.epochs", 1, "--checkpoint.keep", 3)


class Promises:
    """Each method measures one promise and returns the figure, and whether it is kept.

    trials: how often the longer ones are repeated
    """

    def __init__(self, folder: Path, trials: int):
        self.folder, self.trials = folder, trials

    def finished(self) -> Path:
        out = self.folder / "finished"
        if not out.exists():
            with Zygote() as zygote:
                assert zygote.run(*RUN, "--out", out, figures=True)["code"] == 0
        return out

    def kill(self) -> tuple[str, bool]:
        """Killed at a random moment and resumed, a run is bit-equal to the run never killed"""
        with Zygote() as zygote:
            found = kill.trials(zygote, self.folder, self.trials, seed=1, most=3)
        equal, kills = sum(t.equal for t in found), sum(t.kills for t in found)
        return f"{equal} of {len(found)} bit-equal after {kills} kills", equal == len(found)

    def round_trips(self) -> tuple[str, bool]:
        """A checkpoint gives back every bit"""
        place = self.folder / "round_trips"
        place.mkdir()
        changed = len(round_trips.arrays_that_change(place))
        for name, state in round_trips.STATES.items():
            (place / name).mkdir()
            changed += len(round_trips.leaves_that_change(place / name, state()))
        said = f"{len(round_trips.odd_arrays())} arrays and {len(round_trips.STATES)} states, {changed} changed"
        return said, changed == 0

    def damage(self) -> tuple[str, bool]:
        """No flipped bit and no cut of any file is silent; the newest sound checkpoint is taken"""
        found = list(damage.damages(self.finished(), flips=1000, cuts=200, seed=1))
        silent = sum(bool(d.silent) for d in found)
        return f"1,000 bits and 200 cuts in {len({d.file for d in found})} files, {silent} silent", silent == 0

    def faults(self) -> tuple[str, bool]:
        """NaN and infinity are named: the step, the layer and its pass, the data, the loss"""
        outcome = fault_injection.train(fault_injection.Run(), on_fault="skip")
        named = [(f["epoch"], f["step"], f["where"]) for f in outcome.faults]
        right = sum(a == b for a, b in zip(named, fault_injection.met(0), strict=False))
        return f"{right} of {len(fault_injection.SAID)} named", right == len(fault_injection.SAID) == len(named)

    def cost(self) -> tuple[str, bool]:
        """To look for them costs 3 % of the time at most"""
        found = [cost.measure(name, turns=7) for name in cost.NETS]
        return ", ".join(f"{one.name} {one.share:+.1%}" for one in found), all(one.share <= 0.03 for one in found)

    def pickles(self) -> tuple[str, bool]:
        """A hostile pickle runs nothing, crashes nothing and takes 512 MiB at most"""
        place = self.folder / "pickles"
        place.mkdir()
        cases = pickles.hostile_pickles(place)
        for number, data in enumerate(cases.values()):
            (place / f"{number}.pkl").write_bytes(data)
        accepted, peak = pickles.read_all(place)
        kept = not accepted and not (place / "ran").exists() and peak <= pickles.MAX_MIB
        return f"{len(cases) - len(accepted)} of {len(cases)} refused, {peak} MiB beside Python's 40", kept

    def weights(self) -> tuple[str, bool]:
        """Hostile weights are refused, in 512 MiB at most"""
        found, count = hostile.bounds("weights"), len(hostile.hostile_weights())
        said = f"{count - len(found.accepted)} of {count} refused, {found.mebibytes} MiB, {found.seconds:.2f} s at most"
        return said, not found.accepted and found.mebibytes <= 512

    def pictures(self) -> tuple[str, bool]:
        """Hostile pictures are read or refused within 512 MiB and 5 s"""
        found, count = hostile.bounds("pictures"), len(hostile.hostile_pictures())
        said = f"{count} pictures, {found.mebibytes} MiB, {found.seconds:.1f} s at most"
        return said, found.mebibytes <= 512 and found.seconds < 5

    def fuzz(self) -> tuple[str, bool]:
        """Whatever a file holds, a reader reads it or refuses it in one line"""
        run, seen = self.finished(), 0
        table = fuzz.readers(run)
        for name, reader in table.items():
            place = run / checkpoints.FOLDER / "x" if name.startswith("checkpoint") else self.folder / "history.csv"
            if name.startswith("manifest"):
                place = run / "x"
            seen += fuzz.fuzz(reader, name, place)
        return f"{seen:,} inputs of {len(table)} readers, no other error", True

    def fresh(self) -> tuple[str, bool]:
        """Fresh processes give the same bits, on one core and on two"""
        sums = fresh.fingerprints(self.folder, 10)
        return f"{len(sums)} processes, {len(set(sums))} SHA-256", len(set(sums)) == 1


ALL = ("kill", "round_trips", "damage", "faults", "cost", "pickles", "weights", "pictures", "fuzz", "fresh")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.trust", description=__doc__)
    parser.add_argument("only", nargs="*", metavar="PROMISE", help=f"among {', '.join(ALL)} (default: all)")
    parser.add_argument("--trials", type=int, default=20, help="runs that are killed (default: 20)")
    wanted = parser.parse_args()
    if unknown := set(wanted.only) - set(ALL):
        parser.error(f"expected promises among {', '.join(ALL)}, found {', '.join(sorted(unknown))}")
    table, broken, console = Table(title="What is promised, and what was found"), 0, Console()
    for column in ("promise", "found", "kept", "s"):
        table.add_column(column)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(action="ignore"):
        promises = Promises(Path(folder), wanted.trials)
        for name in wanted.only or ALL:
            measure: Callable[[], tuple[str, bool]] = getattr(promises, name)
            console.print(f"{name} …", style="dim")
            began = time.perf_counter()
            figure, kept = measure()
            broken += not kept
            seconds = f"{time.perf_counter() - began:.0f}"
            table.add_row(f"{name}: {measure.__doc__}", figure, "yes" if kept else "NO", seconds)
    console.print(table)
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
