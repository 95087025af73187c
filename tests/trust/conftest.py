"""A server that forks a `jaxnn` for each command line, and a finished run for tests to copy and damage."""

import pytest

from tests.trust.fork_server import ForkServer


@pytest.fixture(scope="session")
def fork_server():
    with ForkServer() as fork_server:
        yield fork_server


@pytest.fixture(scope="session")
def finished(fork_server, tmp_path_factory):
    """A complete run with figures and three checkpoints. Tests copy it."""
    out = tmp_path_factory.mktemp("finished") / "run"
    answer = fork_server.run(
        "train", "digits_mlp", "--net.1.units", 7, "--train.epochs", 4, "--checkpoint.epochs", 1,
        "--checkpoint.keep", 3, "--out", out, figures=True,
    )  # fmt: skip
    assert answer["code"] == 0, answer["err"]
    return out
