"""A grid over the plane of two inputs."""

import numpy as np


def plane_grid(low: np.ndarray, high: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """n coordinates along each axis of a rectangle, and its n² points as rows."""
    across, up = (np.linspace(a, b, n, dtype=np.float32) for a, b in zip(low, high, strict=True))
    return across, up, np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2)
