"""Cells and rows of tables: nothing is cut without a word, and what is not defined says so."""

import math

import pytest

from jaxnn.report.cells import format_cell, format_epochs, seed_statistics, short_cell
from jaxnn.report.score_table import class_rows, metric_rows, restored_scores, stored_scores

NAN = math.nan


def test_seed_statistics_of_one_seed_have_no_standard_deviation():
    assert seed_statistics([2.0]) == {"mean": 2.0, "sd": None, "min": 2.0, "max": 2.0}
    assert seed_statistics([1.0, 3.0]) == {"mean": 2.0, "sd": pytest.approx(2**0.5), "min": 1.0, "max": 3.0}


def test_seed_statistics_leave_out_what_is_not_defined_and_count_it():
    assert seed_statistics([1.0, NAN, 3.0]) == seed_statistics([1.0, 3.0]) | {"undefined": 1}
    assert seed_statistics([NAN, NAN]) == dict.fromkeys(("mean", "sd", "min", "max")) | {"undefined": 2}
    assert format_cell(seed_statistics([1.0, NAN, 3.0])) == "2 ± 1.4 (1 … 3), not defined for 1 seed"
    assert format_cell(seed_statistics([1.0, NAN, NAN, 3.0])).endswith("not defined for 2 seeds")
    assert format_cell(seed_statistics([NAN])) == short_cell(seed_statistics([NAN])) == "not defined"
    assert (format_cell(seed_statistics([2.0, 2.0])), short_cell(seed_statistics([1.0, 3.0]))) == ("2 ± 0", "2 ± 1.4")


@pytest.mark.parametrize(
    ("epochs", "text"),
    [
        ([5], "5"),
        ([9, 3, 9], "3, 9"),
        ([8, 7, 6, 5, 4, 3, 2, 1], "1, 2, 3, 4, 5, 6, 7, 8"),
        ([*range(1, 20)], "1 … 19 (median 10 of 19 seeds)"),
        ([0, *range(90, 99), 100], "0 … 100 (median 94 of 11 seeds)"),
    ],
)
def test_epochs_of_seeds_are_all_shown_or_a_range(epochs, text):
    assert format_epochs(epochs) == text


def test_cell_of_many_numbers_says_how_many_there_are():
    assert format_cell({f"c{i}": i / 20 for i in range(12)}).startswith("c11 0.550  c10 0.500")
    assert format_cell({f"c{i}": i / 20 for i in range(12)}).endswith("c2 0.100 … (12 in all)")
    assert format_cell([[0.5, 1.0], [2.0, 3.0]]) == "0.5, 1, 2, 3"
    assert format_cell([0.5] * 11).endswith("0.5 … (11 in all)") and format_cell(["a", "b"]) == "a, b"


def test_cell_of_no_value_is_a_dash():
    assert format_cell(None) == "–" and format_cell([1.5, None, 2000]) == "1.5, –, 2000"


def test_metric_rows_have_a_column_for_each_part():
    rows = [{"part": "train", "examples": 80, "loss": 1}, {"part": "test", "examples": 20, "loss": 2, "roc_auc": 3}]
    assert metric_rows(rows) == [
        {"metric": "examples", "train": 80, "test": 20},
        {"metric": "loss", "train": 1, "test": 2},
        {"metric": "roc_auc", "train": "", "test": 3},
    ]


def test_class_rows_have_the_name_and_the_metrics_of_each_class():
    metrics = {"loss": [1.0], "f1_per_class": [[0.5, None, 1.0]], "support_per_class": [[3.0, 0.0, 4.0]]}
    rows = class_rows(metrics, ("ash", "beech"))
    assert [row["class"] for row in rows] == ["ash", "beech", "output 2"] and [row["support"] for row in rows] == [
        3,
        0,
        4,
    ]
    assert [format_cell(row["f1"]) for row in rows] == ["0.5", "not defined", "1"]
    assert class_rows({"loss": [1.0]}, ()) == [] and class_rows({"mae_per_output": [[1.0]]}, ()) == []


def test_stored_scores_are_restored():
    scores = restored_scores({"test": {"f1": [0.5, None], "f1_per_class": [[None, 1.0], [0.0, 1.0]]}})
    assert math.isnan(scores["test"]["f1"][1]) and scores["test"]["f1_per_class"].shape == (2, 2)
    assert stored_scores(scores) == {"test": {"f1": [0.5, None], "f1_per_class": [[None, 1.0], [0.0, 1.0]]}}
