"""A quick reproduction in several processes gives what one process gives, also where one of them ends."""

import json
from pathlib import Path

import pytest

from jaxnn.cli import reproduction_processes
from jaxnn.cli.library_arguments import Reproduce
from jaxnn.cli.reproduction_processes import Helper, HelperEndedError, started_helpers
from jaxnn.course.session import STUDIES_OF_RUN, shared_runs
from jaxnn.course.systems import SYSTEMS, System, select_systems
from jaxnn.errors import DataWarning, UserError

pytestmark = pytest.mark.usefixtures("default_numerics_in_every_thread")
IDS = ("S03", "S13", "S14", "S22")


def numbers(folder: Path) -> list[tuple[str, str, list[float]]]:
    """The system, the name and the values of each number of a reproduction."""
    systems = json.loads((folder / "results.json").read_text())
    return [(system["id"], number["name"], number["values"]) for system in systems for number in system["numbers"]]


@pytest.fixture
def reproduced(jaxnn, tmp_path, monkeypatch):
    """Reproduces `IDS` in so many processes; returns the folder."""

    def reproduce(processes: int) -> Path:
        monkeypatch.setattr(reproduction_processes, "MAX_PROCESSES", processes)
        monkeypatch.setattr("jaxnn.cli.device.usable_cpus", lambda: processes)
        folder = tmp_path / str(processes)
        code, _, err = jaxnn("reproduce", *IDS, "--quick", "--out", folder)
        assert code == 0, err
        return folder

    return reproduce


def test_processes_side_by_side_give_the_numbers_and_the_figures_of_one(reproduced, monkeypatch):
    groups, run = [], Helper.run
    monkeypatch.setattr(Helper, "run", lambda helper, systems: groups.append(systems) or run(helper, systems))
    one, two = reproduced(1), reproduced(2)
    assert groups and numbers(one) == numbers(two)
    figures = [{file.name: file.read_bytes() for file in (folder / "figures").iterdir()} for folder in (one, two)]
    assert figures[0] == figures[1] and len(figures[0]) == 3
    assert [(folder / "report.html").read_text().count("<img") for folder in (one, two)] == [3, 3]


def test_what_a_helper_that_died_had_begun_is_done_by_another(reproduced, monkeypatch):
    begin = Helper.begin

    def die(helper, figures):
        begin(helper, figures)
        helper.end()

    monkeypatch.setattr(Helper, "begin", die)
    assert numbers(reproduced(2)) == numbers(reproduced(1))


def test_a_helper_answers_with_results_warnings_and_errors(tmp_path, monkeypatch):
    monkeypatch.setattr("jaxnn.cli.device.usable_cpus", lambda: 2)
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"{i % 7},1,{i % 2}\n" for i in range(40))
    Path("rows.csv").write_text(f"a,same,label\n{rows}", "utf-8")
    Path("mine.toml").write_text(
        'title = "Mine"\n[data]\nname = "csv"\npath = "rows.csv"\nvalidation = 10\n'
        '[[net]]\nlayer = "dense"\nunits = 2\n'
        '[loss]\nname = "softmax_cross_entropy"\n[optimizer]\nname = "sgd"\nlearning_rate = 0.1\n[train]\nepochs = 2\n',
        "utf-8",
    )
    dense, mine = System("S1", "", "", study="dense"), System("S1", "", "", "mine.toml")
    unknown = mine._replace(config="none")
    with started_helpers(Reproduce(quick=True), len(SYSTEMS)) as helpers:
        (helper,) = helpers
        helper.begin(tmp_path / "figures")
        with pytest.warns(DataWarning, match="one value in all rows"):
            failed, outcome, drawn = helper.run([unknown, dense, mine])
        with pytest.raises(UserError, match="none"):
            failed.get()
        result, save = outcome.get()
        assert result.system == dense and len(result.measurements) == 3 and not save()
        (picture,) = drawn.get()[1]()
        assert picture.png == (tmp_path / "figures" / "S1_mine.toml_learning_curves.png").read_bytes()
        with pytest.raises(AttributeError, match="no_such_study") as caught:
            helper.run([dense._replace(study="no_such_study")])
        assert "session.py" in "".join(caught.value.__notes__)  # where it was raised there
        process = helper._process
        process.kill()
        process.join()
        with pytest.raises(HelperEndedError):
            helper.run([dense])


@pytest.mark.parametrize(("quick", "systems", "cpus"), [(False, 9, 2), (True, 3, 2), (True, 9, 1)])
def test_no_helper_is_started_for_a_full_run_few_systems_or_a_single_core(monkeypatch, quick, systems, cpus):
    monkeypatch.setattr("jaxnn.cli.device.usable_cpus", lambda: cpus)
    with started_helpers(Reproduce(quick=quick), systems) as helpers:
        assert len(helpers) == 0


def test_systems_that_use_one_run_are_in_one_group():
    groups = shared_runs(SYSTEMS)
    assert sorted(system for group in groups for system in group) == sorted(SYSTEMS)
    together = [{system.config or system.study for system in group} for group in groups if len(group) > 1]
    assert together and all(
        any(names == {config, *studies} for config, studies in STUDIES_OF_RUN.items()) for names in together
    )
    assert [len(group) for group in shared_runs(select_systems(["S03", "S16", "S17"]))] == [1, 2]
