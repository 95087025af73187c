"""`jaxnn reproduce`: a table, JSON and a report of the requested systems, and its error messages."""

import json

import pytest

from jaxnn.course import systems
from jaxnn.course.generative_systems import GENERATIVE
from jaxnn.course.session import CourseSession
from jaxnn.course.systems import RECORDS, SEQUENCES, SYSTEMS

CHEAP = ("S01", "S03", "S13", "S22")
#: A quick run uses several threads.
pytestmark = pytest.mark.usefixtures("default_numerics_in_every_thread")


def test_reproduce_writes_table_json_and_report_of_the_requested_systems(jaxnn, tmp_path):
    out, file = tmp_path / "out", tmp_path / "rows.json"
    code, table, err = jaxnn("reproduce", *CHEAP, "--quick", "--seeds", 2, "--json", file, "--out", out)
    assert code == 0, err
    assert all(id in table for id in CHEAP) and "prove nothing" in table
    systems_written = json.loads((out / "results.json").read_text())
    assert [system["id"] for system in systems_written] == list(CHEAP)
    rows = [number for system in systems_written for number in system["numbers"]]
    assert rows and all(r["min"] <= r["mean"] <= r["max"] and len(r["values"]) >= 1 for r in rows)
    written = json.loads(file.read_text())
    assert len(written["rows"]) == len(rows)
    assert systems_written[0]["numbers"][0]["course"] == 100.0 and len(systems_written[0]["numbers"][0]["values"]) == 2
    report = (out / "report.html").read_text()
    assert all(f"{id} " in report for id in CHEAP) and report.count("<img") == 3
    assert len(list((out / "figures").glob("S*.png"))) == 3


def test_the_help_names_the_first_and_the_last_systems(jaxnn):
    _, text, _ = jaxnn("reproduce", "--help")
    later = [system.id for system in (*SEQUENCES, *GENERATIVE)]
    ranges = (SYSTEMS[0].id, SYSTEMS[-1].id), (min(later), max(later))
    assert all(f"{first} to {last}" in " ".join(text.split()) for first, last in ranges)


def test_reproduce_records_shows_targets_and_the_standard_error(jaxnn, tmp_path, monkeypatch):
    monkeypatch.setattr(systems, "RECORDS", (RECORDS[0]._replace(config="digits_mlp"),))
    code, table, err = jaxnn("reproduce", "R1", "--records", "--quick", "--out", tmp_path)
    assert code == 0, err
    (record,) = json.loads((tmp_path / "results.json").read_text())
    numbers = {number["name"]: number for number in record["numbers"]}
    assert numbers["best test accuracy %"]["target"] == 98.6 and numbers["best test accuracy %"]["standard_error"] > 0
    assert len(numbers["ensemble test accuracy %"]["values"]) == 1 < len(numbers["best test accuracy %"]["values"])
    assert "98.6" in table and "standard" in table
    code, _, err = jaxnn("reproduce", "S03", "--records", "--out", tmp_path)
    assert code != 0 and "R1" in err


def test_reproduce_of_the_course_and_of_sequences_has_one_table(jaxnn, tmp_path, monkeypatch):
    monkeypatch.setattr(systems, "SEQUENCES", (SEQUENCES[3]._replace(config="digits_mlp"),))
    file = tmp_path / "rows.json"
    code, _, err = jaxnn("reproduce", "S03", "T02", "--quick", "--json", file, "--out", tmp_path / "out")
    assert code == 0, err
    rows = json.loads(file.read_text())["rows"]
    assert len({tuple(row) for row in rows}) == 1 and {row["system"][:3] for row in rows} == {"S03", "T02"}
    assert "97" in next(row["comparison"] for row in rows if row["system"].startswith("T02"))
    code, _, err = jaxnn("reproduce", "T02", "--quick", "--json", file, "--out", tmp_path / "out")
    assert code == 0, err
    (row,) = json.loads(file.read_text())["rows"]
    assert list(row)[2:5] == ["published", "ours", "target"]


def test_quick_run_computes_nothing_of_a_system_that_it_does_not_run(jaxnn, tmp_path, monkeypatch):
    large = SEQUENCES[3]._replace(config="digits_mlp", needs_gpu=True)
    monkeypatch.setattr(systems, "SEQUENCES", (large,))
    computed, run = [], CourseSession.run
    monkeypatch.setattr(CourseSession, "run", lambda self, system: computed.append(system.id) or run(self, system))
    file = tmp_path / "rows.json"
    code, _, err = jaxnn("reproduce", large.id, "S03", "--quick", "--json", file, "--out", tmp_path / "out")
    assert code == 0, err
    assert computed == ["S03"]
    rows = json.loads(file.read_text())["rows"]
    assert "hours" in next(row["comparison"] for row in rows if row["system"].startswith(large.id))


def test_reproduce_names_a_system_without_its_data_and_runs_the_others(jaxnn, tmp_path, monkeypatch):
    monkeypatch.delenv("JAXNN_DATA_DIR", raising=False)
    code, table, err = jaxnn("reproduce", "S03", "S09", "--quick", "--out", tmp_path)
    assert code != 0 and "S09" in err and "--data-dir" in err
    assert "0.018" in table
    assert [s["id"] for s in json.loads((tmp_path / "results.json").read_text())] == ["S03"]


def test_reproduce_whose_figures_fail_has_its_numbers(jaxnn, tmp_path, monkeypatch):
    def failing():
        raise ValueError("no plane")

    monkeypatch.setattr("jaxnn.course.figures.activation_figures", failing)
    code, table, err = jaxnn("reproduce", "S03", "S13", "--quick", "--out", tmp_path)
    assert code == 0 and "figures of S13: not drawn: no plane" in err
    assert "0.018" in table and (tmp_path / "report.html").exists()
    assert [s["id"] for s in json.loads((tmp_path / "results.json").read_text())] == ["S03", "S13"]


def test_reproduce_that_is_ended_keeps_the_results_before(jaxnn, tmp_path, monkeypatch):
    def ending(session, system):
        raise KeyboardInterrupt

    monkeypatch.setattr("jaxnn.course.session.CourseSession.activations", ending)
    code, *_ = jaxnn("reproduce", "S03", "S13", "--quick", "--out", tmp_path)
    assert code == 130
    assert [s["id"] for s in json.loads((tmp_path / "results.json").read_text())] == ["S03"]


def test_reproduce_lists_the_ids_when_one_is_unknown(jaxnn, tmp_path):
    code, _, err = jaxnn("reproduce", "S03", "S24", "--out", tmp_path / "none")
    assert code != 0 and "S24" in err and all(system.id in err for system in SYSTEMS)
    assert not (tmp_path / "none").exists()


def test_reproduce_refuses_zero_seeds(jaxnn, tmp_path):
    code, _, err = jaxnn("reproduce", "S03", "--seeds", 0, "--out", tmp_path / "none")
    assert code != 0 and "--seeds" in err
