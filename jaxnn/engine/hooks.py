"""How a run is looked after while it goes on: when it is kept, whether it is to leave, what to do about a fault."""

from collections.abc import Callable
from typing import Literal, NamedTuple

from jaxnn.engine.chunks import PAUSE
from jaxnn.engine.snapshot import Snapshot
from jaxnn.errors import UserError
from jaxnn.train.plan import Data
from jaxnn.train.state import State

Policy = Literal["stop", "skip", "rollback", "let"]


class Fault(UserError):
    """NaN, infinity or divergence in a run: where it arose and what to do."""


class Care(NamedTuple):
    """What `run_live` asks while it trains.

    due(steps) -> whether the run is to be kept, after so many steps
    keep(snapshot): keeps it
    leave() -> whether to stop after the present chunk
    kept() -> the run as it was last kept, for `rollback`
    diagnose(state, data, step) -> where the next step of a seed, the `step`-th of its epoch, goes wrong, in words
    every: steps after which the run must be kept (0: none)
    pause: seconds from one look to the next
    on_fault: `stop` raises a `Fault`; `skip` passes over the step; `rollback` also goes back to the parameters and
        the optimizer's state that were last kept; `let` goes on: what comes of it is for the caller to look at
    """

    due: Callable[[int], bool] = lambda steps: False
    keep: Callable[[Snapshot], None] = lambda snapshot: None
    leave: Callable[[], bool] = lambda: False
    kept: Callable[[], Snapshot | None] = lambda: None
    diagnose: Callable[[State, Data, int], str] = lambda state, data, step: "NaN or infinity"
    every: int = 0
    pause: float = PAUSE
    on_fault: Policy = "stop"
