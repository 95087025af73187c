"""Pytest fixtures for a user's own tests: one line measures all laws of a hand-written gradient.

This module does not import JAX, so that pytest starts fast.
"""

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def certify() -> Callable[..., Any]:
    """`certify(layer, x)`: the layer's certificate; the test fails with a line for each broken law."""
    from jaxnn.certify import certify

    return lambda *args, **options: certify(*args, **options).check()


@pytest.fixture
def certify_vjp() -> Callable[..., Any]:
    """`certify_vjp(f, fwd, bwd, *args)`: the rule's certificate; the test fails with a line for each broken law."""
    from jaxnn.certify import certify_vjp

    return lambda *args, **options: certify_vjp(*args, **options).check()
