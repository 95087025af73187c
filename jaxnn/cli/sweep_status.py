"""`jaxnn sweep --status DIR`: how far a sweep is that several workers train."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jaxnn.cli.joined import show_status
from jaxnn.cli.progress import duration_text
from jaxnn.errors import UserError, plural

if TYPE_CHECKING:
    from jaxnn.sweep.members import Family
    from jaxnn.sweep.store import Result


class Status:
    """What the folder of a shared sweep says of how far it is. Results are read once."""

    def __init__(self, folder: Path):
        from jaxnn.storage.claims import Claims
        from jaxnn.sweep import parse_axes
        from jaxnn.sweep.checks import member_count
        from jaxnn.sweep.folder import SOURCE, is_sweep, read_facts
        from jaxnn.sweep.halving import halving_schedule
        from jaxnn.sweep.joined import CLAIMS
        from jaxnn.sweep.members import family
        from jaxnn.sweep.store import TrialStore

        if not is_sweep(folder):
            raise UserError(f"{folder}: expected the folder of a sweep (--join DIR), found none there")
        request = read_facts(folder).request
        self.folder: Path = folder
        source = str(folder / SOURCE) if request.experiment is None else request.source
        self.family: Family = family(source, request.overrides, request.seeds)
        members = member_count(request.search, parse_axes(request.over, request.draw), request.trials)
        plan = self.family.plan
        rungs = halving_schedule(members, plan.epochs, request.eta, plan.eval_every)
        self.expected: int = sum(count for count, _ in rungs) if request.search == "halving" else members
        silence = 30.0 if request.joined is None else request.joined.silence
        self.claims: Claims = Claims(folder / CLAIMS, silence)
        self.store: TrialStore = TrialStore(folder)
        self._results: dict[str, Result] = {}
        self._written: list[float] = []

    def read(self) -> None:
        """Reads the results that have come since."""
        from jaxnn.sweep.store import read_result

        for _, path in self.store.results():
            if path.name not in self._results:
                self._written.append(path.stat().st_mtime)
                self._results[path.name] = read_result(path)

    def share(self) -> float:
        """The share of the results that are there; 0 where none is."""
        return min(1.0, len(self.store.results()) / max(1, self.expected))

    def finished(self) -> bool:
        """Whether the sweep has finished."""
        from jaxnn.sweep.folder import read_facts

        return read_facts(self.folder).status == "finished"

    def lines(self) -> Sequence[str]:
        """The view, line by line."""
        from jaxnn.sweep.store import scores_of

        self.read()
        plan, living, done = self.family.plan, self.claims.living(), len(self._results)
        state = "finished" if self.finished() else plural(len({(c.host, c.pid) for c in living}), "worker")
        lines = [f"{self.family.title}: {done:,} of {self.expected:,} results, {state}"]
        span = max(self._written, default=0.0) - min(self._written, default=0.0)
        if not self.finished() and span > 0 and done < self.expected:
            lines[0] += f", about {duration_text(span / (done - 1) * (self.expected - done))} left"
        for claim in living:
            lines.append(f"  {claim.host}, process {claim.pid}: trains {claim.piece}, heard {claim.silence:.0f} s ago")
        ranked = sorted(self._results.values(), key=lambda r: (-r.epochs, -plan.sign * scores_of(r).mean()))
        best = next((r for r in ranked if None not in r.score), None)
        if best is not None:
            values = ", ".join(f"{name} = {value}" for name, value in best.values.items())
            lines.append(f"  best so far: {plan.best} {scores_of(best).mean():.4g} with {values}")
        return lines


def show(folder: Path) -> None:
    """Prints how far a sweep is; on a terminal again and again until it has finished."""
    status = Status(folder)
    show_status(status.lines, status.finished)
