"""Which states a sweep that several workers train keeps on the disk."""

import math

from jaxnn.sweep.store import MEMBERS, Result, TrialStore, read_result, scores_of


class BestStates:
    """The states of the best members alone, of all results that workers have written to a store so far.

    count: how many; sign: 1 where a larger score is better, −1 where a smaller one is
    A member that is among the best of all is among the best of any of them, so nothing is dropped that is needed.
    """

    def __init__(self, store: TrialStore, count: int, sign: int):
        self._store, self._count, self._sign = store, count, sign
        self._objectives: dict[str, float] = {}

    def admits(self, result: Result) -> bool:
        """Whether a member with this result may be among the best."""
        for key, path in self._store.results():
            if key not in self._objectives:
                self._objectives[key] = self._objective(read_result(path))
        objective = self._objective(result)
        return math.isfinite(objective) and objective >= self._least()

    def drop_others(self) -> None:
        """Removes the states of members that are no longer among the best."""
        least = self._least()
        for folder in (self._store.folder / MEMBERS).glob("[!.]*"):
            if self._objectives.get(folder.name, least) < least:
                self._store.drop(folder.name)

    def _least(self) -> float:
        ranked = sorted(self._objectives.values(), reverse=True)
        return ranked[self._count - 1] if len(ranked) >= self._count else -math.inf

    def _objective(self, result: Result) -> float:
        mean = self._sign * float(scores_of(result).mean())
        return -math.inf if math.isnan(mean) else mean
