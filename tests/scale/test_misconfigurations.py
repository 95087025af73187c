"""Processes that cannot train together: each says why in one line, and ends with exit status 2."""

import pytest

from tests.scale.misconfigurations import misconfigurations, outcome


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("no rank 1", "found no rank 1 in time"),
        ("another config", "expected the same config as rank 0"),
        ("other data", "expected the same data as rank 0"),
        ("data on one host alone", "found no points.csv"),
    ],
)
def test_mistake_ends_all_processes_with_one_line(name, expected, tmp_path):
    (misconfiguration,) = [one for one in misconfigurations(tmp_path) if one.name == name]
    ends = outcome(misconfiguration, tmp_path)
    assert [(end.status, len(end.lines)) for end in ends] == [(2, 1)] * len(ends), ends
    assert all(expected in end.lines[0] for end in ends)
    assert not (tmp_path / "run").exists()
