"""Statistics of a number over the seeds of a run, as every table and report shows them."""

from collections.abc import Sequence

import numpy as np


def seed_statistics(values: Sequence[float] | np.ndarray) -> dict[str, float | None]:
    """Mean, sample standard deviation ("sd"; None for one seed), minimum and maximum of one value per seed."""
    a = np.asarray(values, np.float64)
    return {
        "mean": float(a.mean()),
        "sd": float(a.std(ddof=1)) if len(a) > 1 else None,
        "min": float(a.min()),
        "max": float(a.max()),
    }
