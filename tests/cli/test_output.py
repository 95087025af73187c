"""What a command prints: tables of any width, progress, errors in one line; and streams that take nothing."""

import errno
import io
import os
import re
import subprocess
import sys

import pytest

from jaxnn.cli import progress
from jaxnn.cli.tables import column_widths, print_table
from tests.cli.process import jaxnn_process, own_lines


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
@pytest.mark.parametrize("words", ["configs", "--help", "--version", "summary digits_mlp", "configs digits_mlp"])
def test_full_disk_ends_a_command_in_one_line(words):
    for unbuffered in ("", "1"):
        with open("/dev/full", "w") as full:
            done = jaxnn_process(words.split(), stdout=full, env=os.environ | {"PYTHONUNBUFFERED": unbuffered})
        assert done.returncode == 74
        assert own_lines(done.stderr) == ["jaxnn: the output: cannot be read or written: No space left on device"]
        with open("/dev/full", "w") as full:
            done = subprocess.run([sys.executable, "-m", "jaxnn", *words.split()], stdout=full, stderr=full)
        assert done.returncode == 74


ROWS = [
    {
        "layer": "dense",
        "parameters": 1_234_567,
        "loss": {"mean": 0.123456, "sd": 0.01, "min": 0.1, "max": 0.2},
        "note": "a b",
    },
    {
        "layer": "a name of many words that wraps",
        "parameters": 89,
        "loss": {"mean": 1e-9, "sd": None, "min": 1, "max": 1},
        "note": "/a/path/without/any/space/that/is/longer/than/the/screen.png",
    },
]
NUMBERS = ["1,234,567", "0.1235", "0.01", "0.1", "0.2", "89", "1e-09"]


@pytest.mark.parametrize("columns", [20, 30, 40, 80, 200, None])
def test_print_table_cuts_no_number_at_any_width(capsys, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns or ""))
    print_table("a title that is longer than twenty columns", ROWS)
    out = capsys.readouterr().out
    assert "a title that is longer than twenty columns" in out
    for number in NUMBERS:
        assert re.search(rf"(?<![\d.,]){re.escape(number)}(?![\d.,])", out), (number, out)
    lines = out.splitlines()[1:]
    last_column = "".join(line.split("│")[-2].strip() if "│" in line else line for line in lines)
    assert ROWS[1]["note"] in last_column
    if columns is None:
        assert sum("dense" in line for line in lines) == 1 and any(
            "1,234,567" in line and "0.1235 ± 0.01" in line for line in lines
        )
    else:
        assert all(len(line) <= columns for line in lines if "/a/path" not in line), out


def test_column_widths_wrap_the_widest_column_first_and_split_no_number():
    lines = [("name", "count"), ("a few words", "1,000,000")]
    assert column_widths(lines, None) == [11, 9] and column_widths(lines, 40) == [11, 9]
    assert column_widths(lines, 22) == [6, 9] and column_widths(lines, 21) == [5, 9]
    assert column_widths(lines, 20) is None


@pytest.mark.parametrize("command", ["configs", "summary"])
@pytest.mark.parametrize("columns", [20, 30, 80])
def test_commands_cut_nothing_on_a_narrow_screen(jaxnn, monkeypatch, command, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    code, out, _ = jaxnn(*{"configs": ["configs"], "summary": ["summary", "digits_mlp"]}[command])
    assert code == 0 and "…" not in out
    if command == "summary":
        assert all(number in out for number in ("16,640", "114,699", "1,792"))


def test_activity_says_what_is_done_how_long_and_how_long_still(capsys, monkeypatch):
    monkeypatch.setattr(progress, "LINE_DELAY", 0.0)
    monkeypatch.setattr(progress, "LONGEST_PAUSE", 0.0)
    monkeypatch.setattr(progress, "TICK", 0.01)
    with progress.activity("reproduce") as shown:
        progress.report("laws of [red], 1 of 4", 0.25)
        shown._phase_start = shown._start = shown._start - 60
        lines = ""
        while "laws" not in lines:
            lines += capsys.readouterr().err
    assert re.search(r"^jaxnn: laws of \[red\], 1 of 4, 60 s, about 3 min left$", lines, re.MULTILINE), lines


def test_activity_draws_a_bar_on_a_terminal_and_removes_it_before_a_text(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(progress, "BAR_DELAY", 0.0)
    monkeypatch.setattr(progress, "TICK", 0.01)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", Terminal())
    with progress.activity("train") as shown:
        while "train" not in sys.stderr.getvalue():  # type: ignore[attr-defined]  # a StringIO
            pass
        shown.hide()
    assert sys.stderr.getvalue().rstrip().endswith("\x1b[2K") or "\x1b[2K" in sys.stderr.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("words", "announced"),
    [(("certify",), "certifying"), (("certify", "--mutants"), "mistakes"), (("plot", "optimizers"), "about 2 minutes"),
     (("reproduce", "--quick"), "about half a minute"), (("reproduce",), "about 20 minutes"),
     (("reproduce", "--records"), "hours")],
)  # fmt: skip
def test_long_commands_say_first_how_long_they_take(jaxnn, tmp_path, monkeypatch, words, announced):
    class Reached(Exception):
        pass

    def stop(*args, **options):
        raise Reached

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("jaxnn.cli.certify.map_with_progress", stop)
    monkeypatch.setattr("jaxnn.course.figures.optimizer_figures", stop)
    monkeypatch.setattr("jaxnn.course.session.CourseSession.run", stop)
    _, _, err = jaxnn(*words)
    assert announced in err.splitlines()[0]


def test_mistake_of_jaxnn_is_one_line_with_a_file_and_status_70(jaxnn, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    failing = eval("lambda *args, **options: {}['secret']", {"__name__": "jaxnn.failing"})
    monkeypatch.setattr("jaxnn.cli.configs.shipped_configs", failing)
    code, out, err = jaxnn("configs")
    (file,) = tmp_path.iterdir()
    assert (
        code == 70 and out == "" and len(err.splitlines()) == 1 and err.rstrip().endswith(f"the traceback is in {file}")
    )
    assert "please report it" in err and "KeyError: 'secret'" in file.read_text() and "Traceback" in file.read_text()
    code, _, err = jaxnn("--traceback", "configs")
    assert code == 70 and "Traceback" in err and len(list(tmp_path.iterdir())) == 1


def test_error_of_the_system_is_one_line(jaxnn, monkeypatch):
    def fail(*args):
        raise OSError(errno.EMFILE, "Too many open files", "somewhere")

    monkeypatch.setattr("jaxnn.cli.configs.shipped_configs", fail)
    code, _, err = jaxnn("configs")
    assert code == 74 and err == "jaxnn: somewhere: cannot be read or written: Too many open files\n"


def test_json_file_that_cannot_be_written_is_said_before_the_work(jaxnn, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("nosuch/t.json", "."):
        code, out, err = jaxnn("train", "--train.epochs", 1, "--json", name)
        assert code == 2 and out == "" and len(err.splitlines()) == 1 and "--json" in err
    assert not list(tmp_path.iterdir())
