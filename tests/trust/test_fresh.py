"""The same command gives the same bits in every process, on one core or two; another seed gives other bits."""

import numpy as np
import pytest

from jaxnn.storage.arrays import load_arrays
from tests.trust.fresh import WORDS, cores, fingerprint


@pytest.mark.skipif(len(cores()) < 2, reason="needs two cores")
def test_train_gives_the_same_bits_on_one_core_and_on_two(fork_server, tmp_path):
    for name, count in (("one", 1), ("two", 2)):
        # Each process compiles its own programs.
        answer = fork_server.run(*WORDS, "--out", tmp_path / name, cores=count, compiles=True)
        assert answer["code"] == 0, answer["err"]
    assert fingerprint(tmp_path / "one") == fingerprint(tmp_path / "two")
    # The two seeds differ; otherwise equal bits would prove nothing.
    weights = load_arrays(tmp_path / "one" / "best.safetensors")["params/0/weight"]
    assert not np.array_equal(*weights)
