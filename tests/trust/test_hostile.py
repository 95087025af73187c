"""Untrusted files do no harm: each is read or refused in one line, within limits of memory and time."""

import json
import os
import resource
import shutil

import pytest

from jaxnn.cli.checkpoint import examined
from jaxnn.config import load
from jaxnn.errors import UserError
from jaxnn.runs import checkpoints
from jaxnn.runs import folder as run_folder
from jaxnn.storage.arrays import load_arrays
from jaxnn.storage.files import read_checksummed_json, write_checksummed_json
from tests.trust.hostile import bounds, hostile_pictures, hostile_weights

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
    refused(lambda: load_arrays(path), "weights.safetensors")


def test_hostile_weights_and_pictures_stay_within_memory_and_time():
    """In a separate process, so that a crash is noticed. Pictures are read as by `jaxnn predict`, grey and coloured."""
    weights, pictures = bounds("weights"), bounds("pictures")
    assert weights.accepted == []
    assert {name for name in hostile_pictures() if name.startswith("as many")} <= set(pictures.accepted)
    assert not {"one line of all pixels", "one pixel too many", "2^62 pixels", "EPS", "SVG"} & set(pictures.accepted)
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
    for read in (run_folder.read_manifest, run_folder.read_run, examined):
        refused(lambda read=read: read(copy), "expected the place of a file in the run's folder")


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
    "an empty example": {"data": {"sha256": [""], "classes": [], "white": 1.0, "example": [0]}},
    "a huge example": {"data": {"sha256": [""], "classes": [], "white": 1.0, "example": [2**40, 2**40]}},
    "no scores": {"scores": []},
    "no seconds": {"seconds": {"train": "soon"}},
}


@pytest.mark.parametrize("case", FACTS)
def test_read_run_refuses_forged_facts(copy, case):
    forged(copy, **FACTS[case])
    refused(lambda: run_folder.read_run(copy))


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
    "another format": {"format": 3},
    "another sum": {"sha256": "0" * 64},
}


@pytest.mark.parametrize("case", CHECKPOINT_FACTS)
def test_newest_skips_a_checkpoint_with_forged_facts(copy, case):
    from tests.trust.damage import expected_state

    like, (*_, before, newest) = expected_state(copy), checkpoints.paths(copy)
    forged(copy, f"checkpoints/{newest.name}/manifest.json", **CHECKPOINT_FACTS[case])
    messages: list[str] = []
    assert checkpoints.newest(copy, like, messages.append).steps == int(before.name)
    assert len(messages) == 1 and "\n" not in messages[0]


LINKED = ("config.toml", "manifest.json", "best.safetensors", "history.csv", "figures", "checkpoints")


@pytest.mark.parametrize("name", LINKED)
def test_verify_follows_no_link_in_a_run(copy, name):
    outside = copy.parent / "outside"
    (copy / name).rename(outside)
    (copy / name).symlink_to(outside)
    try:
        bad = {row["file"] for row in examined(copy) if row["state"] != "sound"}
    except UserError as error:
        bad = {name} if name in str(error) else set()
    assert name in {file.split("/")[0] for file in bad}
    if name == "checkpoints":
        assert checkpoints.paths(copy) == []


def test_sweep_and_prune_follow_no_link(copy):
    outside = copy.parent / "outside"
    outside.mkdir()
    leftover = outside / ".state.safetensors.123.0123abcd"
    leftover.write_text("of another run")
    for name in ("figures", "checkpoints"):
        (copy / name).rename(copy.parent / name)
        (copy / name).symlink_to(outside)
    run_folder.sweep(copy)
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
