"""What a user wrote is printed as text, whatever it holds and whatever the terminal can show."""

import ast
import html
import io
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from jaxnn.cli import terminal
from jaxnn.cli.main import main
from tests.packaging.imports import ROOT

TITLE = (
    "[red]R[/red] [/x] [bold]é漢字 :smile: \x1b[2J\x1b]0;t\x07 \x7f\u202egnp $x$ $ % {0} \\ \n"
    "<script>alert(1)</script> & ×"
)
CLASSES = ("[red]", "[/x]", "<b>&", "$x$", "$", "é漢字", "a\u202eb", "x" * 200, "{title}", "%s")
ENCODINGS = [
    ("utf-8", "strict"),
    ("ascii", "strict"),
    ("ascii", "surrogateescape"),
    ("latin-1", "strict"),
    ("cp1252", "replace"),
]
CONFIG = """
title = {title}
[data]
name = "csv"
path = {path}
label = "class"
validation = 11
test = 11
[[net]]
layer = "dense"
units = {units}
[loss]
name = "softmax_cross_entropy"
[optimizer]
name = "adam"
learning_rate = 0.1
[train]
epochs = 1
"""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """The config of a hostile title and hostile class names, and the folder of its run, which is not trained yet."""
    folder = tmp_path_factory.mktemp("hostile")
    rng, rows = np.random.default_rng(0), ["a,b,class"]
    for i in range(66):
        label = CLASSES[i % len(CLASSES)]
        rows.append(f'{rng.normal():.3f},{rng.normal():.3f},"{label}"')
    (folder / "data.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    quote = {name: json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f") for name, text in
             (("title", TITLE), ("path", str(folder / "data.csv")))}  # fmt: skip
    (folder / "mine.toml").write_text(CONFIG.format(**quote, units=len(CLASSES)), encoding="utf-8")
    return folder


@pytest.fixture
def typed(monkeypatch):
    """Runs a command line whose streams have an encoding. Returns the exit status and what each stream received."""

    def run(encoding, errors, *words):
        streams = [io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors=errors) for _ in range(2)]
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", streams[0])
            patch.setattr(sys, "stderr", streams[1])
            try:
                main([str(word) for word in words])
                code = 0
            except SystemExit as exit:
                code = exit.code
        for stream in streams:
            stream.flush()
        assert all(stream.errors == errors for stream in streams)
        return code, *(stream.buffer.getvalue() for stream in streams)

    return run


@pytest.mark.parametrize(("encoding", "errors"), ENCODINGS)
def test_commands_print_hostile_titles_and_classes_as_text(hostile, typed, encoding, errors, tmp_path):
    run = tmp_path / "run"
    np.save(tmp_path / "x.npy", np.zeros((3, 2), np.float32))
    commands = [
        ("train", hostile / "mine.toml", "--out", run),
        ("evaluate", run),
        ("predict", run, tmp_path / "x.npy", "--json", tmp_path / "p.json"),
        ("plot", run),
        ("checkpoint", "list", run),
        ("summary", hostile / "mine.toml"),
        ("resume", run),
    ]
    for words in commands:
        code, out, err = typed(encoding, errors, *words)
        assert code == 0, (words, err)
        text = out.decode(encoding)
        assert not set(text) & set("\x1b\x07\x7f\u202e"), words
        if words[0] in ("train", "evaluate", "summary"):
            assert "[red]R[/red] [/x] [bold]" in text and "\\x1b[2J" in text and ":smile:" in text, words
        if words[0] == "predict":
            assert all(name in text for name in ("[red]", "[/x]", "$x$", "%s"))
    rows = json.loads((tmp_path / "p.json").read_text(encoding="utf-8"))["rows"]
    assert {"[red]", "[/x]", "a\u202eb"} <= set(rows[0]["probability"])
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page and html.escape("<script>alert(1)</script>") in page


@pytest.mark.parametrize(("encoding", "errors"), ENCODINGS)
def test_errors_print_hostile_names_in_one_line(typed, encoding, errors, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = "[/x]\x1b[2J é漢" + os.fsdecode(b"caf\xe9")
    commands = [
        ("train", name), ("train", f"{name}.toml"), ("train", f"{name}.py:f"), ("evaluate", name), ("plot", name),
        ("predict", name, "x"), ("checkpoint", "list", name), ("train", f"--{name}"), ("certify", name),
        ("certify", f"{name}.py:f"), ("sweep", "--over", f"{name}=1"), ("train", f"--net.0.{name}", "1"),
        ("reproduce", name), ("summary", name), ("configs", name), ("config", "new", "--from", name),
        ("train", f"--data.path={name}", "--data.name=csv"), ("train", "--json", f"{name}/x"),
    ]  # fmt: skip
    for words in commands:
        code, out, err = typed(encoding, errors, *words)
        lines = err.decode(encoding).splitlines()
        assert (
            code == 2 and (out == b"" or words[0] == "sweep") and len(lines) == 1 and lines[0].startswith("jaxnn: ")
        ), (words, err)
        assert "\x1b" not in lines[0] and "[/x]" in lines[0], words
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="the file system has UTF-8 names only")
def test_commands_take_file_names_that_are_no_utf8(typed, tmp_path):
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    words = ("train", "digits_mlp", "--train.epochs", 1, "--out", folder)
    np.save(tmp_path / os.fsdecode(b"x\xff.npy"), np.zeros((2, 8, 8, 1), np.float32))
    for encoding, errors in (("utf-8", "strict"), ("ascii", "surrogateescape")):
        code, out, err = typed(encoding, errors, *words, "--overwrite", "--json", tmp_path / os.fsdecode(b"t\xff.json"))
        assert code == 0 and b"caf\\xe9/report.html" in out, err
        images = tmp_path / os.fsdecode(b"x\xff.npy")
        code, out, err = typed(encoding, errors, "predict", folder, images, "--json", tmp_path / "p.json")
        assert code == 0 and b"x\\xff.npy[1]" in out, err
        rows = json.loads((tmp_path / "p.json").read_text(encoding="utf-8"))["rows"]
        assert rows[1]["file"] == f"{images}[1]"
        assert typed(encoding, errors, "checkpoint", "verify", folder)[0] == 0
    assert json.loads((tmp_path / os.fsdecode(b"t\xff.json")).read_text())["rows"]


@pytest.mark.parametrize(
    "locale",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii:strict"},
    ],
)
@pytest.mark.parametrize("words", ["configs", "--help", "certify --help", "train nosuch×"])
def test_process_prints_under_every_locale(words, locale):
    done = subprocess.run([sys.executable, "-m", "jaxnn", *words.split()], capture_output=True, env=os.environ | locale)
    assert done.returncode == (2 if "nosuch" in words else 0), done.stderr
    assert done.stdout.isascii() and done.stderr.isascii() and b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("text", "encoding", "shown"),
    [
        ("plain", "utf-8", "plain"), ("é × … ±", "utf-8", "é × … ±"), ("é × … ± 漢", "ascii", "\\xe9 x ... +- \\u6f22"),
        ("é ×", "latin-1", "é ×"), ("…", "latin-1", "..."), ("\x1b[2J\r\t\0", "utf-8", "\\x1b[2J\\x0d\\x09\\x00"),
        ("a\nb", "utf-8", "a\nb"), ("\udcff\ud800", "utf-8", "\\xff\\ud800"),
        ("\u202e\u2028", "utf-8", "\\u202e\\u2028"),
        ("🎉", "utf-8", "🎉"), ("🎉", "ascii", "\\U0001f389"), ("\x9b", "utf-8", "\\x9b"), ("[red]", "ascii", "[red]"),
    ],
)  # fmt: skip
def test_printable_shows_every_character(text, encoding, shown):
    assert terminal.printable(text, encoding) == shown


def test_nothing_prints_but_the_terminal():
    """No `print(`, no console and no stream is used elsewhere in the package."""
    uses = []
    for path in sorted((ROOT / "jaxnn").rglob("*.py")):
        if path.name == "terminal.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
                uses.append(name)
            if isinstance(node, ast.Attribute) and node.attr == "write" and "sys.std" in ast.unparse(node.value):
                uses.append(name)
            if isinstance(node, ast.ImportFrom) and (node.module or "") == "rich.console":
                uses.append(name)
    # The bar is drawn by rich on standard error; its only text is printable.
    assert [use for use in uses if not use.startswith("jaxnn/cli/progress.py:")] == []
