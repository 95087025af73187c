"""`python -m tests.trust`: measures each guarantee on what a run survives and on what a file can do."""

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
from tests.trust.fork_server import ForkServer

#: The run whose files are damaged.
RUN = ("train", "digits_mlp", "--net.1.units", 7, "--train.epochs", 4, "--checkpoint.epochs", 1, "--checkpoint.keep", 3)


class Guarantees:
    """Each method measures one guarantee. It returns the figure as text, and whether the guarantee holds.

    trials: how often the longer ones are repeated
    """

    def __init__(self, folder: Path, trials: int):
        self.folder, self.trials = folder, trials

    def finished_run(self) -> Path:
        out = self.folder / "finished"
        if not out.exists():
            with ForkServer() as fork_server:
                assert fork_server.run(*RUN, "--out", out, figures=True)["code"] == 0
        return out

    def kill(self) -> tuple[str, bool]:
        """A run that is killed at a random moment and resumed is bit-equal to a run that is not killed"""
        with ForkServer() as fork_server:
            results = kill.trials(fork_server, self.folder, self.trials, seed=1, max_kills=3)
        equal, kills = sum(t.equal for t in results), sum(t.kills for t in results)
        return f"{equal} of {len(results)} bit-equal after {kills} kills", equal == len(results)

    def round_trips(self) -> tuple[str, bool]:
        """A checkpoint restores every bit"""
        folder = self.folder / "round_trips"
        folder.mkdir()
        changed = len(round_trips.changed_arrays(folder))
        for name, state in round_trips.STATES.items():
            (folder / name).mkdir()
            changed += len(round_trips.changed_leaves(folder / name, state()))
        arrays = len(round_trips.unusual_arrays())
        return f"{arrays} arrays and {len(round_trips.STATES)} states, {changed} changed", changed == 0

    def damage(self) -> tuple[str, bool]:
        """Every flipped bit and every truncated file is detected, and the newest valid checkpoint is used"""
        tried = list(damage.damages(self.finished_run(), flips=1000, cuts=200, seed=1))
        undetected = sum(bool(d.undetected_by) for d in tried)
        figure = f"1,000 bits and 200 cuts in {len({d.file for d in tried})} files, {undetected} undetected"
        return figure, undetected == 0

    def faults(self) -> tuple[str, bool]:
        """NaN and infinity are located: the step, the layer and its pass, the data, the loss"""
        outcome = fault_injection.train(fault_injection.Run(), on_nonfinite="skip")
        located = [(f["epoch"], f["step"], f["where"]) for f in outcome.faults]
        correct = sum(a == b for a, b in zip(located, fault_injection.met(0), strict=False))
        count = len(fault_injection.SAID)
        return f"{correct} of {count} located", correct == count == len(located)

    def cost(self) -> tuple[str, bool]:
        """The checks for NaN and infinity cost at most 3 % of the time"""
        costs = [cost.measure(name, turns=7) for name in cost.NETS]
        return ", ".join(f"{c.name} {c.share:+.1%}" for c in costs), all(c.share <= 0.03 for c in costs)

    def pickles(self) -> tuple[str, bool]:
        """A hostile pickle runs nothing, crashes nothing and takes at most 512 MiB"""
        folder = self.folder / "pickles"
        folder.mkdir()
        cases = pickles.hostile_pickles(folder)
        for number, data in enumerate(cases.values()):
            (folder / f"{number}.pkl").write_bytes(data)
        accepted, peak = pickles.read_all(folder)
        holds = not accepted and not (folder / "ran").exists() and peak <= pickles.MAX_MIB
        return f"{len(cases) - len(accepted)} of {len(cases)} refused, {peak} MiB beside Python's 40", holds

    def weights(self) -> tuple[str, bool]:
        """Hostile weights are refused, within 512 MiB"""
        bounds, count = hostile.bounds("weights"), len(hostile.hostile_weights())
        refused = count - len(bounds.accepted)
        figure = f"{refused} of {count} refused, at most {bounds.mebibytes} MiB and {bounds.seconds:.2f} s"
        return figure, not bounds.accepted and bounds.mebibytes <= 512

    def pictures(self) -> tuple[str, bool]:
        """Hostile pictures are read or refused within 512 MiB and 5 s"""
        bounds, count = hostile.bounds("pictures"), len(hostile.hostile_pictures())
        figure = f"{count} pictures, at most {bounds.mebibytes} MiB and {bounds.seconds:.1f} s"
        return figure, bounds.mebibytes <= 512 and bounds.seconds < 5

    def fuzz(self) -> tuple[str, bool]:
        """Whatever a file contains, its reader accepts it or refuses it in one line"""
        run, inputs = self.finished_run(), 0
        table = fuzz.readers(run)
        for name, reader in table.items():
            path = run / checkpoints.FOLDER / "x" if name.startswith("checkpoint") else self.folder / "history.csv"
            if name.startswith("manifest"):
                path = run / "x"
            inputs += fuzz.fuzz(reader, name, path)
        return f"{inputs:,} inputs of {len(table)} readers, no other error", True

    def fresh(self) -> tuple[str, bool]:
        """New processes give the same bits, on one core and on two"""
        hashes = fresh.fingerprints(self.folder, 10)
        return f"{len(hashes)} processes, {len(set(hashes))} SHA-256", len(set(hashes)) == 1


ALL = ("kill", "round_trips", "damage", "faults", "cost", "pickles", "weights", "pictures", "fuzz", "fresh")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.trust", description=__doc__)
    parser.add_argument("only", nargs="*", metavar="GUARANTEE", help=f"any of {', '.join(ALL)} (default: all)")
    parser.add_argument("--trials", type=int, default=20, help="number of runs to kill (default: 20)")
    arguments = parser.parse_args()
    if unknown := set(arguments.only) - set(ALL):
        parser.error(f"expected any of {', '.join(ALL)}, found {', '.join(sorted(unknown))}")
    table, broken, console = Table(title="Guarantees and their measurements"), 0, Console()
    for column in ("guarantee", "measured", "holds", "s"):
        table.add_column(column)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(action="ignore"):
        guarantees = Guarantees(Path(folder), arguments.trials)
        for name in arguments.only or ALL:
            measure: Callable[[], tuple[str, bool]] = getattr(guarantees, name)
            console.print(f"{name} …", style="dim")
            start = time.perf_counter()
            figure, holds = measure()
            broken += not holds
            seconds = f"{time.perf_counter() - start:.0f}"
            table.add_row(f"{name}: {measure.__doc__}", figure, "yes" if holds else "NO", seconds)
    console.print(table)
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
