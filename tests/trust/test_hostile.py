"""Untrusted files do no harm: each is read or refused in one line, within limits of memory and time."""

import json
import os
import resource
import shutil

import numpy as np
import pytest

from jaxnn.cli.checkpoint import examine_files
from jaxnn.config import load
from jaxnn.errors import UserError
from jaxnn.runs import checkpoints
from jaxnn.runs import folder as run_folder
from jaxnn.runs.history import read_history
from jaxnn.runs.run import load_run
from jaxnn.runs.weights import load_params, load_weights
from jaxnn.storage.arrays import load_arrays, save_arrays
from jaxnn.storage.files import read_checksummed_json, write_checksummed_json
from tests.trust.damage import expected_shapes
from tests.trust.hostile import bounds, hostile_pictures, hostile_weights
from tests.trust.precision import cli_precision

MAX_MEBIBYTES = 512  # with Python and its libraries
MAX_SECONDS = 5  # of the processor, for one file


@pytest.fixture
def copy(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "copy")


def refused(read, *words):
    with pytest.raises(UserError) as refusal:
        read()
    message = str(refusal.value)
    assert "\n" not in message and all(word in message for word in words), message
    return message


@pytest.mark.parametrize("case", hostile_weights())
def test_load_arrays_refuses_hostile_weights(tmp_path, case):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(hostile_weights()[case])
    for read in (load_arrays, load_weights, load_params):
        refused(lambda read=read: read(path), "weights.safetensors")


def test_load_params_refuses_an_array_inside_an_array(tmp_path):
    """Both names are valid, but no tree has both."""
    path = tmp_path / "weights.safetensors"
    for names in (("a", "a/b"), ("a/b/c", "a/b"), ("a", "a/b/c")):
        save_arrays(path, {name: np.zeros(2, np.float32) for name in names})
        refused(lambda: load_params(path), "weights.safetensors")


HISTORIES = {
    "empty": b"",
    "no columns": b"\n1\n",
    "no seed": b"epoch,split,loss\n1,train,0.5\n",
    "no split": b"seed,epoch,loss\n0,1,0.5\n",
    "a seed of text": b"seed,epoch,split,loss\nnone,1,train,0.5\n",
    "an epoch with a fraction": b"seed,epoch,split,loss\n0,1.5,train,0.5\n",
    "an epoch beyond 64 bits": b"seed,epoch,split,loss\n0,99999999999999999999,train,0.5\n",
    "an epoch of 10,000 digits": b"seed,epoch,split,loss\n0," + b"9" * 10_000 + b",train,0.5\n",
    "a loss of text": b"seed,epoch,split,loss\n0,1,train,low\n",
    "a short row": b"seed,epoch,split,loss\n0,1\n",
    "a long row": b"seed,epoch,split,loss\n0,1,train,0.5,0.6\n",
    "a row twice": b"seed,epoch,split,loss\n0,1,train,0.5\n0,1,train,0.6\n",
    "a part that there is not": b"seed,epoch,split,loss\n0,1,future,0.5\n",
    "no rows": b"seed,epoch,split,loss\n",
    "no UTF-8": b"seed,epoch,split,loss\n0,1,train,\xff\n",
    "a NUL": b"seed,epoch,split,loss\n0,1,train,\0\n",
    "a huge field": b"seed,epoch,split,loss\n0,1,train," + b"1" * 200_000 + b"\n",
    "a break in a quoted field": b'seed,epoch,split,loss\n0,1,train,"0\n5"\n',
    # 10^5 rows, of which a table of all seeds and all epochs would have 10^10 numbers.
    "a seed and an epoch in each row": b"seed,epoch,split,loss\n"
    + b"".join(b"%d,%d,train,0.5\n" % (i, i) for i in range(100_000)),
}


@pytest.mark.parametrize("case", HISTORIES)
def test_read_history_refuses_hostile_files(tmp_path, case):
    path = tmp_path / "history.csv"
    path.write_bytes(HISTORIES[case])
    refused(lambda: read_history(path), "history.csv")


def test_hostile_weights_and_pictures_stay_within_memory_and_time():
    """In a separate process, so that a crash is noticed. Pictures are read as by `jaxnn predict`, grey and coloured."""
    weights, pictures = bounds("weights"), bounds("pictures")
    assert weights.accepted == []
    assert {name for name in hostile_pictures() if name.startswith("as many")} <= set(pictures.accepted)
    too_large = {
        "one line of all pixels",
        "one line too many of WebP",
        "one pixel too many",
        "2^62 pixels",
        "EPS",
        "SVG",
    }
    assert not too_large & set(pictures.accepted)
    for result in (weights, pictures):
        assert result.mebibytes <= MAX_MEBIBYTES and result.seconds < MAX_SECONDS


def forged(run, name="manifest.json", **changes):
    """Changes facts of a manifest, and writes it with a correct checksum."""
    facts = read_checksummed_json(run / name)
    write_checksummed_json(run / name, facts | changes)


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../secret", "figures/../../secret", "./secret", "figures//secret", "a\0b", "a\nb", "", "."]
)
def test_manifest_with_a_file_outside_its_folder_is_refused(copy, name):
    files = read_checksummed_json(copy / "manifest.json")["files"]
    (copy.parent / "secret").write_text("secret")
    forged(copy, files=files | {name: "0" * 64})
    for read in (run_folder.read_manifest, load_run, examine_files):
        refused(lambda read=read: read(copy), "expected the name of a file inside the run's folder")


#: The facts of data that are small and of a known type.
SMALL = {
    "name": "digits", "sha256": "", "classes": [], "max_value": 16.0, "example": [8, 8, 1], "dtype": "float32",
    "stacked": False, "target": {"shape": [], "dtype": "int32"},
}  # fmt: skip
LOSS = {"mean": 1.0, "sd": None, "min": 1.0, "max": 1.0}
ROW = {"part": "test", "examples": 360, "loss": LOSS}
FACTS = {
    "no files": {"files": None},
    "no weights": {"files": {}},
    "no seeds": {"seeds": []},
    "a seed of text": {"seeds": ["0"]},
    "a negative seed": {"seeds": [-1]},
    "more seeds": {"seeds": [0, 1]},
    "another status": {"status": "no status"},
    "not finished": {"status": "running"},
    "another precision": {"precision": "float8"},
    "no data": {"data": {}},
    "an empty example": {"data": SMALL | {"example": [0]}},
    "another example": {"data": SMALL | {"example": [7, 9, 1]}},
    "a big example": {"data": SMALL | {"example": [2**16, 2**16, 1]}},
    "a huge example": {"data": SMALL | {"example": [2**40, 2**40]}},
    "an example of many axes": {"data": SMALL | {"example": [1] * 1000}},
    "objects as data": {"data": SMALL | {"dtype": "object"}},
    "data of a type that there is not": {"data": SMALL | {"dtype": "os.system"}},
    "data of each seed": {"data": SMALL | {"stacked": True}},
    "no kind of gradient": {"grad": ""},
    "another kind of gradient": {"grad": "numeric"},
    "values of text": {"values": {"test": {"loss": ["low"]}}},
    "best epochs of text": {"best_epoch": ["last"]},
    "no scores": {"scores": []},
    "scores of text": {"scores": ["test"]},
    "a row of scores without its part": {"scores": [{"examples": 360, "loss": LOSS}]},
    "a row of scores without examples": {"scores": [{"part": "test", "loss": LOSS}]},
    "a row of scores without a metric": {"scores": [{"part": "test", "examples": 360}]},
    "a score of text": {"scores": [ROW | {"loss": "low"}]},
    "a score without its mean": {"scores": [ROW | {"loss": {"sd": None, "min": 1.0, "max": 1.0}}]},
    "scores of a part that there is not": {"scores": [ROW | {"part": "../secret"}]},
    "scores of other parts than the values": {"scores": [ROW]},
    "values of more seeds": {"values": {part: {"loss": [1.0, 2.0]} for part in ("train", "validation", "test")}},
    "best epochs of more seeds": {"best_epoch": [1, 2]},
    "a target of a type that there is not": {"data": SMALL | {"target": {"shape": [], "dtype": "os.system"}}},
    "a huge target": {"data": SMALL | {"target": {"shape": [2**40, 2**40], "dtype": "float32"}}},
    "no seconds": {"seconds": {"train": "soon"}},
    "no seconds of compiling": {"seconds": {"train": 1.0}},
}


@pytest.mark.parametrize("case", FACTS)
def test_load_run_refuses_forged_facts(copy, case):
    forged(copy, **FACTS[case])
    with cli_precision():
        refused(lambda: load_run(copy))


def test_small_facts_are_those_of_the_run(copy):
    """So that each case above is refused for what it changes."""
    forged(copy, data=SMALL)
    with cli_precision():
        load_run(copy)


@pytest.mark.parametrize("found", [3, 5, None, "4", [4]])
def test_run_of_another_format_is_refused_and_the_format_named(copy, found):
    forged(copy, format=found)
    for read in (run_folder.read_manifest, load_run, examine_files):
        refused(lambda read=read: read(copy), f"expected a run of format 4, found {found}", "train again")


CHECKPOINT_FACTS = {
    "no keys": {"keys": None},
    "keys of a kind that there is not": {"keys": {"state/key": "os.system"}},
    "keys where there are none": {"keys": {"state/epoch": "rbg"}},
    "rows of text": {"rows": "3"},
    "negative rows": {"rows": -1},
    "huge rows": {"rows": 2**62},
    "other steps": {"steps": 7},
    "faults of text": {"faults": "none"},
    "seconds of text": {"seconds": "9"},
    "another format": {"format": 2},
    "another sum": {"sha256": "0" * 64},
}


@pytest.mark.parametrize("case", CHECKPOINT_FACTS)
def test_load_newest_valid_skips_a_checkpoint_with_forged_facts(copy, case):
    shapes, (*_, before, newest) = expected_shapes(copy), checkpoints.paths(copy)
    forged(copy, f"checkpoints/{newest.name}/manifest.json", **CHECKPOINT_FACTS[case])
    messages: list[str] = []
    assert checkpoints.load_newest_valid(copy, *shapes, messages.append).steps == int(before.name)
    assert len(messages) == 1 and "\n" not in messages[0]


LINKED = ("config.toml", "manifest.json", "best.safetensors", "history.csv", "figures", "checkpoints")


@pytest.mark.parametrize("name", LINKED)
def test_verify_follows_no_link_in_a_run(copy, name):
    outside = copy.parent / "outside"
    (copy / name).rename(outside)
    (copy / name).symlink_to(outside)
    try:
        bad = {row["file"] for row in examine_files(copy) if row["state"] != "valid"}
    except UserError as error:
        bad = {name} if name in str(error) else set()
    assert name in {file.split("/")[0] for file in bad}
    if name == "checkpoints":
        assert checkpoints.paths(copy) == []


def test_remove_leftovers_and_prune_follow_no_link(copy):
    outside = copy.parent / "outside"
    outside.mkdir()
    leftover = outside / ".state.safetensors.123.0123abcd"
    leftover.write_text("of another run")
    for name in ("figures", "checkpoints"):
        (copy / name).rename(copy.parent / name)
        (copy / name).symlink_to(outside)
    run_folder.remove_leftovers(copy)
    checkpoints.prune(copy, read_checksummed_json(copy / "manifest.json")["run"], 1)
    assert leftover.exists()


@pytest.mark.parametrize("name", ["manifest.json", "checkpoints/{}/manifest.json", "checkpoints/{}/state.safetensors"])
def test_pipe_or_folder_in_place_of_a_file_is_refused(copy, name):
    path = copy / name.format(checkpoints.paths(copy)[-1].name)
    path.unlink()
    for make in (os.mkfifo, os.mkdir):
        make(path)
        if name == "manifest.json":
            refused(lambda: run_folder.read_manifest(copy))
        else:
            refused(lambda: checkpoints.read(path.parent), path.name)
        path.unlink() if path.is_fifo() else path.rmdir()


def test_load_refuses_a_huge_config_without_reading_it(tmp_path):
    path = tmp_path / "x.toml"
    with path.open("wb") as file:
        file.write(b"a = 1\n")
        file.truncate(100 << 20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(lambda: load(path), "expected a config of at most 64 KiB")
    refused(lambda: load("/dev/zero"), "expected a config file")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20 << 10


def test_read_manifest_refuses_a_huge_or_deeply_nested_manifest(tmp_path):
    path = tmp_path / "manifest.json"
    with path.open("wb") as file:
        file.truncate(100 << 20)
    refused(lambda: run_folder.read_manifest(tmp_path), "expected at most")
    for text in ("[" * 100_000, '{"a":' * 100_000, json.dumps({"seal": "x"}), "9" * 10_000, "null", "\ud800"):
        path.write_text(text, errors="surrogatepass")
        refused(lambda: run_folder.read_manifest(tmp_path))


def test_load_refuses_a_pipe_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "x.toml")
    refused(lambda: load(tmp_path / "x.toml"), "x.toml")
