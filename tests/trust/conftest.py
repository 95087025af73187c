"""One process that forks a `jaxnn` for each command line, and one finished run to damage."""

import pytest

from tests.trust.fork_server import Zygote


@pytest.fixture(scope="session")
def zygote():
    with Zygote() as zygote:
        yield zygote


@pytest.fixture(scope="session")
def finished(zygote, tmp_path_factory):
    """A whole run, with figures and three checkpoints; tests copy it."""
    out = tmp_path_factory.mktemp("finished") / "run"
    answer = zygote.run(
        "train", "digits_mlp", "--net.1.units", 7, "--train.epochs", 4, "--checkpoint.epochs", 1,
        "--checkpoint.keep", 3, "--out", out, figures=True,
    )  # fmt: skip
    assert answer["code"] == 0, answer["err"]
    return out
