"""A fixture for tests of what a user meets who has not installed the hook that checks annotations."""

import jaxtyping
import pytest


@pytest.fixture
def without_annotation_checks():
    """Annotations are not checked, as in the code of a user: the library's own checks must do."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
