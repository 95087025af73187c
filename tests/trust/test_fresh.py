"""The same command gives the same bits in every process; another seed gives other bits.

On one core or two the bits are the same too, unless the matrix library alone already rounds otherwise.
"""

import numpy as np
import pytest

from jaxnn.storage.arrays import load_arrays
from tests.trust.fresh import WORDS, cores, fingerprint, products_depend_on_cores


@pytest.mark.skipif(len(cores()) < 2, reason="needs two cores")
def test_train_gives_the_same_bits_in_every_process_and_on_one_core_as_on_two(fork_server, tmp_path):
    # Where products by themselves depend on the cores, two processes on two cores are compared.
    for name, count in (("first", 2 if products_depend_on_cores() else 1), ("second", 2)):
        # Each process compiles its own programs.
        answer = fork_server.run(*WORDS, "--out", tmp_path / name, cores=count, compiles=True)
        assert answer["code"] == 0, answer["err"]
    assert fingerprint(tmp_path / "first") == fingerprint(tmp_path / "second")
    # The two seeds differ; otherwise equal bits would prove nothing.
    weights = load_arrays(tmp_path / "first" / "best.safetensors")["params/0/weight"]
    assert not np.array_equal(*weights)
