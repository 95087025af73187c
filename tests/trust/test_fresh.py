"""The same command gives the same bits in every process, on one core or two; another seed gives others."""

import pytest

from tests.trust.fresh import WORDS, cores, fingerprint


@pytest.mark.skipif(len(cores()) < 2, reason="needs two cores")
def test_processes_on_one_core_and_on_two_give_the_same_bits(zygote, tmp_path):
    sums = []
    for name, count, seed in (("one", 1, 0), ("two", 2, 0), ("other", 2, 1)):
        # Each compiles by itself.
        answer = zygote.run(*WORDS, "--seed", seed, "--out", tmp_path / name, cores=count, compiles=True)
        assert answer["code"] == 0, answer["err"]
        sums.append(fingerprint(tmp_path / name))
    one, two, other = sums
    assert one == two != other
