"""The README and the guide: code runs, commands parse, configs load, links lead to files, counts are true."""

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import tomli_w
import tyro
from run_page import blocks

from jaxnn.certify.laws import LAWS
from jaxnn.certify.laws.agreement import has_stopped
from jaxnn.certify.laws.second import has_forward_mode
from jaxnn.certify.library_mutants import MUTANTS
from jaxnn.cli.arguments import CommandLine
from jaxnn.cli.command_line import reject_unknown, split_overrides, unexpected_overrides
from jaxnn.cli.library_arguments import Summary
from jaxnn.cli.run_arguments import Slurm
from jaxnn.cli.slurm import batch_script
from jaxnn.cli.training_arguments import Sweep, Train
from jaxnn.config import load
from jaxnn.config.shipped import find, shipped_configs
from jaxnn.course.systems import SYSTEMS
from jaxnn.runs.python_file import is_python_target, typed_overrides
from jaxnn.sweep import parse_axes
from jaxnn.sweep.members import check_axes, family

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
GUIDE = sorted((ROOT / "docs" / "guide").glob("*.md"))
#: The pages of docs/layers are generated; tests/certify compares them with the code.
WRITTEN = [README, *(page for page in sorted((ROOT / "docs").rglob("*.md")) if page.parent.name != "layers")]
#: Two laws are for functions that are no layer: those with stopped arguments, and those with a forward mode.
LAWS_OF_LAYERS = [law for law in LAWS.values() if law.applies not in (has_stopped, has_forward_mode)]
COUNTS = {
    "mutants": len(MUTANTS),
    "laws": len(LAWS_OF_LAYERS),
    "configs": len(shipped_configs()),
    "systems": len({system.id for system in SYSTEMS}),
}


def page_name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def commands(page: Path) -> list[list[str]]:
    """The words of each `jaxnn` command in the page's shell blocks."""
    lines = [line for block in blocks(page) if block.language == "sh" for line in block.text.splitlines()]
    words = [shlex.split(line, comments=True) for line in lines]
    return [line[1:] for line in words if line[:1] == ["jaxnn"]]


def prose(page: Path) -> str:
    """The page without its code blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", [README, *GUIDE], ids=page_name)
def test_page_code_runs_from_top_to_bottom(page, tmp_path):
    environment = {key: value for key, value in os.environ.items() if key != "JAXNN_DATA_DIR"}
    environment |= {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]), "MPLBACKEND": "agg"}
    script = Path(__file__).parent / "run_page.py"
    result = subprocess.run(
        [sys.executable, script, page], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("page", WRITTEN, ids=page_name)
def test_page_commands_are_taken_by_the_command_line(page):
    for words in commands(page):
        plain, overrides = split_overrides(words)
        line, unknown = tyro.cli(CommandLine, args=plain, return_unknown_args=True)
        command = line.command
        if isinstance(command, Slurm):
            batch_script(command, unknown)
            continue
        reject_unknown(command, [*unknown, *unexpected_overrides(command, overrides)])
        if not isinstance(command, Train | Sweep | Summary) or command.config is None:
            continue
        if is_python_target(command.config):
            typed_overrides(overrides)
        elif command.config in shipped_configs():
            load(command.config, overrides)
        else:
            assert Path(command.config).suffix == ".toml", f"{command.config}: neither shipped nor a file"
        if isinstance(command, Sweep):
            axes = parse_axes(command.over, command.draw)
            if command.config in shipped_configs():
                check_axes(family(command.config, overrides), axes)


@pytest.mark.parametrize("page", WRITTEN, ids=page_name)
def test_page_toml_is_a_config_or_tables_of_one(page, tmp_path):
    default = tomllib.loads(find("digits_mlp").read_text(encoding="utf-8"))
    for block in blocks(page):
        if block.language == "toml":
            tables = tomllib.loads(block.text)
            file = tmp_path / f"line_{block.line}.toml"
            base = {} if "title" in tables else default
            if "adversarial" in tables:  # its players have losses of their own
                base = {name: table for name, table in base.items() if name != "loss"}
            file.write_text(tomli_w.dumps(base | tables), encoding="utf-8")
            load(file)


@pytest.mark.parametrize("page", WRITTEN, ids=page_name)
def test_page_names_a_run_as_what_it_is(page):
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"\bparam(eter)?s\b *= *(jaxnn\.)?(fit|load_run|make_run)\(", text)


@pytest.mark.parametrize("page", WRITTEN, ids=page_name)
def test_page_links_lead_to_files(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if not re.match(r"[a-z]+:", link):
            file, _, heading = link.partition("#")
            target = page.parent / file if file else page
            assert target.exists(), f"{page_name(page)} links to {link}"
            assert not heading or heading in headings(target), f"{page_name(page)} links to {link}"


def headings(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", WRITTEN, ids=page_name)
def test_page_counts_are_true(page):
    for noun, count in COUNTS.items():
        claimed = {int(number) for number in re.findall(rf"\b(\d+) (?:shipped |course )?{noun}\b", prose(page))}
        assert claimed <= {count}, f"{page_name(page)}: expected {count} {noun}, found {claimed}"


def test_readme_states_the_counts_and_fits_eight_kilobytes():
    text = README.read_text(encoding="utf-8")
    assert all(f"{COUNTS[noun]} {noun}" in text for noun in ("mutants", "laws", "configs"))
    assert len(text.encode()) <= 8 * 1024


def test_readme_ratios_are_those_of_the_benchmark_results():
    results = json.loads((ROOT / "benchmarks" / "results" / "cpu.json").read_text(encoding="utf-8"))["benchmarks"]
    columns = ("PyTorch", "Keras", "Flax", "Equinox", "scikit-learn")
    rows = ("s08", "s10", "s11", "s11_batch_20", "ninety_nine")
    table = README.read_text(encoding="utf-8").split("| net and data |")[1].split("\n\n")[0].splitlines()[2:]
    for name, line in zip(rows, table, strict=True):
        timings = results[name]["found"]["timings"]
        for column, cell in zip(columns, line.split("|")[2:-1], strict=True):
            others = [timing["seconds"] for timing in timings[1:] if timing["name"].startswith(column)]
            ratio = min(others) / timings[0]["seconds"] if others else None
            assert cell.strip() == ("" if ratio is None else f"{ratio:.2g}" if ratio >= 10 else f"{ratio:.1f}"), name


def test_every_page_of_the_guide_is_in_the_index():
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    assert all(f"(guide/{page.name})" in index for page in GUIDE)
