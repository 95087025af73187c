"""A file from a stranger does no harm: it is read or refused in one line, within bounds of memory and time."""

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

MOST = 512  # MiB, with Python and its libraries
SOONEST = 5  # processor seconds for one file


@pytest.fixture
def copy(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "copy")


def refused(read, *words):
    with pytest.raises(UserError) as refusal:
        read()
    said = str(refusal.value)
    assert "\n" not in said and all(word in said for word in words), said
    return said


@pytest.mark.parametrize("case", hostile_weights())
def test_weights_that_we_did_not_write_are_refused(tmp_path, case):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(hostile_weights()[case])
    refused(lambda: load_arrays(path), "weights.safetensors")


def test_weights_and_pictures_are_bounded_in_memory_and_time():
    """In a process of their own, so that a crash is seen; pictures as `jaxnn predict` reads them, grey and coloured."""
    weights, pictures = bounds("weights"), bounds("pictures")
    assert weights.accepted == []
    assert {name for name in hostile_pictures() if name.startswith("as many")} <= set(pictures.accepted)
    assert not {"one line of all pixels", "one pixel too many", "2^62 pixels", "EPS", "SVG"} & set(pictures.accepted)
    for found in (weights, pictures):
        assert found.mebibytes <= MOST and found.seconds < SOONEST


def forged(run, name="manifest.json", **changes):
    """A manifest with other facts, sealed as if we had written it."""
    facts = read_checksummed_json(run / name)
    write_checksummed_json(run / name, facts | changes)


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../secret", "figures/../../secret", "./secret", "figures//secret", "a\0b", "a\nb", "", "."]
)
def test_a_manifest_names_no_file_outside_its_folder(copy, name):
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
def test_forged_facts_are_refused(copy, case):
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
def test_forged_facts_of_a_checkpoint_are_passed_over(copy, case):
    from tests.trust.damage import expected_state

    like, (*_, before, newest) = expected_state(copy), checkpoints.paths(copy)
    forged(copy, f"checkpoints/{newest.name}/manifest.json", **CHECKPOINT_FACTS[case])
    said: list[str] = []
    assert checkpoints.newest(copy, like, said.append).steps == int(before.name)
    assert len(said) == 1 and "\n" not in said[0]


LINKED = ("config.toml", "manifest.json", "best.safetensors", "history.csv", "figures", "checkpoints")


@pytest.mark.parametrize("name", LINKED)
def test_a_link_in_a_run_is_not_followed(copy, name):
    away = copy.parent / "away"
    (copy / name).rename(away)
    (copy / name).symlink_to(away)
    try:
        bad = {row["file"] for row in examined(copy) if row["state"] != "sound"}
    except UserError as error:
        bad = {name} if name in str(error) else set()
    assert name in {file.split("/")[0] for file in bad}
    if name == "checkpoints":
        assert checkpoints.paths(copy) == []


def test_nothing_is_removed_or_swept_through_a_link(copy):
    away = copy.parent / "away"
    away.mkdir()
    half = away / ".state.safetensors.123.0123abcd"
    half.write_text("of another run")
    for name in ("figures", "checkpoints"):
        (copy / name).rename(copy.parent / name)
        (copy / name).symlink_to(away)
    run_folder.sweep(copy)
    checkpoints.prune(copy, read_checksummed_json(copy / "manifest.json")["run"], 1)
    assert half.exists()


@pytest.mark.parametrize("name", ["manifest.json", "checkpoints/{}/manifest.json", "checkpoints/{}/state.safetensors"])
def test_a_pipe_or_a_folder_in_place_of_a_file_is_refused(copy, name):
    path = copy / name.format(checkpoints.paths(copy)[-1].name)
    path.unlink()
    for make in (os.mkfifo, os.mkdir):
        make(path)
        if name == "manifest.json":
            refused(lambda: run_folder.read_manifest(copy))
        else:
            refused(lambda: checkpoints.read(path.parent), path.name)
        path.unlink() if path.is_fifo() else path.rmdir()


def test_a_config_of_100_mb_is_refused_unread(tmp_path):
    path = tmp_path / "x.toml"
    with path.open("wb") as file:
        file.write(b"a = 1\n")
        file.truncate(100 << 20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(lambda: load(path), "expected a config of at most 64 KiB")
    refused(lambda: load("/dev/zero"), "expected a config file")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20 << 10


def test_a_manifest_of_100_mb_or_nested_deeply_is_refused(tmp_path):
    path = tmp_path / "manifest.json"
    with path.open("wb") as file:
        file.truncate(100 << 20)
    refused(lambda: run_folder.read_manifest(tmp_path), "expected at most")
    for text in ("[" * 100_000, '{"a":' * 100_000, json.dumps({"seal": "x"}), "9" * 10_000, "null", "\ud800"):
        path.write_text(text, errors="surrogatepass")
        refused(lambda: run_folder.read_manifest(tmp_path))


def test_a_pipe_as_config_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "x.toml")
    refused(lambda: load(tmp_path / "x.toml"), "x.toml")
