"""A checkpoint restores every bit, and refuses a program that expects another structure."""

import json

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from jaxnn.cli.main import main
from jaxnn.engine.snapshot import Snapshot
from jaxnn.errors import UserError
from jaxnn.runs import checkpoints, folder
from jaxnn.runs.weights import save_params
from jaxnn.storage.arrays import load_arrays
from tests.trust.round_trips import STATES, changed_arrays, changed_leaves, shapes, snapshot


def test_save_arrays_keeps_every_bit_of_every_dtype_and_shape(tmp_path):
    assert changed_arrays(tmp_path) == []
    assert {path.name for path in tmp_path.parent.iterdir()} >= {tmp_path.name}
    assert [path.name for path in tmp_path.iterdir()] == ["unusual.safetensors"]  # no name became a path


@pytest.mark.parametrize("name", STATES)
def test_checkpoint_restores_every_bit(tmp_path, name):
    assert changed_leaves(tmp_path, STATES[name]()) == []


def with_params(like, params):
    """The shapes of a run, with those of other parameters."""
    return like._replace(state=like.state._replace(update=like.state.update._replace(params=tuple(params))))


def with_other_weights(like, change):
    """The shapes of a run, with those of the first layer's weights changed."""
    first, *others = like.state.update.params
    return with_params(like, (first._replace(weight=change(first.weight)), *others))


def with_key(like, key):
    """The shapes of a run, with those of another key."""
    return like._replace(state=like.state._replace(key=key))


ADAM = shapes("adam")
PARAMS = ADAM.state.update.params
OTHERS = {
    "another shape": (
        with_other_weights(ADAM, lambda a: jax.ShapeDtypeStruct((2, 3, 11), a.dtype)),
        r"expected 'state/update/params/0/weight' of shape \(2, 3, 11\) .* found \(2, 3, 7\)",
    ),
    "another type": (
        with_other_weights(ADAM, lambda a: jax.ShapeDtypeStruct(a.shape, jnp.bfloat16)),
        r"expected 'state/update/params/0/weight' of shape .* dtype bfloat16, found .* float32",
    ),
    "a layer more": (with_params(ADAM, (*PARAMS, PARAMS[0])), "expected an array 'state/update/params/3/weight'"),
    "a layer less": (with_params(ADAM, PARAMS[:2]), "expected no array 'state/update/params/2/"),
    "another optimizer": (shapes("rmsprop"), "'state/update/optimizer/"),
    "other seeds": (
        jax.tree.map(lambda a: jax.ShapeDtypeStruct((3, *a.shape[1:]), a.dtype), ADAM),
        r"expected 'history/train/accuracy' of shape \(3, 3\)",
    ),
    "other keys": (
        with_key(ADAM, jax.eval_shape(lambda: jax.random.split(jax.random.key(0, impl="rbg"), 2))),
        r"expected 'state/key' of shape \(2, 4\)",
    ),
    "a metric more": (
        ADAM._replace(history=ADAM.history._replace(train=ADAM.history.train | {"margin": ADAM.history.train["loss"]})),
        "expected an array 'history/train/margin' of shape",
    ),
    "a metric less": (
        ADAM._replace(history=ADAM.history._replace(validation={"loss": ADAM.history.validation["loss"]})),
        "expected no array 'history/validation/accuracy'",
    ),
}


@pytest.mark.parametrize("other", OTHERS)
def test_load_refuses_another_structure_and_names_the_first_difference(tmp_path, other):
    like, message = OTHERS[other]
    path = checkpoints.save(tmp_path, "a run", STATES["adam"]())
    with pytest.raises(UserError, match=message) as refusal:
        checkpoints.load(path, *like)
    assert "\n" not in str(refusal.value)


def test_load_refuses_keys_of_another_kind_and_the_same_size(tmp_path):
    path = checkpoints.save(tmp_path, "a run", STATES["keys of rbg"]())
    like = with_key(ADAM, jax.eval_shape(lambda: jax.random.split(jax.random.key(0, impl="unsafe_rbg"), 2)))
    with pytest.raises(UserError, match="expected keys of key<urbg> at 'state/key', found key<rbg>"):
        checkpoints.load(path, *like)


def save_checkpoints(run, *steps) -> list[Snapshot]:
    """Saves a checkpoint for each of these steps."""
    snapshots = [snapshot(ADAM, seed)._replace(steps=count) for seed, count in enumerate(steps)]
    for item in snapshots:
        checkpoints.save(run, "a run", item)
    return snapshots


def test_load_newest_valid_ignores_folders_that_are_no_checkpoints(tmp_path):
    save_checkpoints(tmp_path, 9, 1000)
    for name in (".000000002000.7.0123abcd", "2000", "000000002000x", "latest"):
        (tmp_path / checkpoints.FOLDER / name).mkdir()
    (tmp_path / checkpoints.FOLDER / "000000003000").write_text("no folder")
    (tmp_path / checkpoints.FOLDER / "000000004000").symlink_to(tmp_path)
    assert checkpoints.load_newest_valid(tmp_path, *ADAM, pytest.fail).steps == 1000


def test_prune_removes_only_checkpoints_of_this_run(tmp_path):
    save_checkpoints(tmp_path, 10, 20, 30, 40)
    checkpoints.save(tmp_path, "another run", snapshot(ADAM)._replace(steps=5))
    (tmp_path / checkpoints.FOLDER / "000000000015").mkdir()  # damaged
    checkpoints.prune(tmp_path, "a run", 2)
    left = [int(path.name) for path in checkpoints.paths(tmp_path)]
    assert {5, 15, 30, 40} <= set(left) and len(left) <= 5


def test_interrupted_removal_leaves_no_damaged_checkpoint(tmp_path, monkeypatch):
    save_checkpoints(tmp_path, 10, 20, 30, 40)

    def killed(path, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.unlink", killed)
        with pytest.raises(KeyboardInterrupt):
            checkpoints.prune(tmp_path, "a run", 2)
    for path in checkpoints.paths(tmp_path):
        checkpoints.read(path)
    folder.remove_leftovers(tmp_path)
    assert {path.name for path in (tmp_path / checkpoints.FOLDER).iterdir()} == {
        path.name for path in checkpoints.paths(tmp_path)
    }


def test_save_params_refuses_two_arrays_of_one_name(tmp_path):
    params = {"a": {"b": np.zeros(2, np.float32)}, "a/b": np.ones(2, np.float32)}
    with pytest.raises(UserError, match="found 'a/b' twice"):
        save_params(tmp_path / "params.safetensors", params)
    assert list(tmp_path.iterdir()) == []


def run(capsys, *words):
    """A command's exit status, standard output and standard error."""
    try:
        main([str(word) for word in words])
        code = 0
    except SystemExit as exit:
        code = exit.code
    return code, *capsys.readouterr()


def rows(capsys, tmp_path, *words):
    code, _, err = run(capsys, "checkpoint", *words, "--json", tmp_path / "rows.json")
    assert code == 0, err
    return json.loads((tmp_path / "rows.json").read_text())["rows"]


def test_list_inspect_and_diff_show_what_is_on_the_disk(capsys, tmp_path, finished):
    paths = checkpoints.paths(finished)
    listed = rows(capsys, tmp_path, "list", finished)
    assert [row["steps"] for row in listed] == [int(path.name) for path in paths] and len(paths) >= 3
    assert all(row["state"] == "valid" for row in listed)
    arrays = [load_arrays(path / checkpoints.STATE) for path in paths]
    inspected = {row["array"]: row for row in rows(capsys, tmp_path, "inspect", finished)}
    assert inspected.keys() == arrays[-1].keys()
    weight = "state/update/params/1/weight"
    assert inspected[weight]["minimum"] == float(arrays[-1][weight].min())
    assert inspected["state/key"]["type"] == "threefry2x32"
    differing = {row["array"] for row in rows(capsys, tmp_path, "diff", finished)}
    for name, array in arrays[-1].items():
        assert (name in differing) == (not same(array, arrays[-2].get(name))), name
    assert weight in differing and "state/key" not in differing
    steps = paths[0].name.lstrip("0")
    assert rows(capsys, tmp_path, "diff", finished, steps, steps) == []
    code, _, err = run(capsys, "checkpoint", "inspect", finished, 7)
    assert code == 2 and "expected steps among" in err


def same(a, b):
    return b is not None and a.shape == b.shape and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")


def test_verify_lists_every_file(capsys, tmp_path, finished):
    states = {row["file"]: row["state"] for row in rows(capsys, tmp_path, "verify", finished)}
    assert set(states.values()) == {"valid"}
    files = {path.relative_to(finished).as_posix() for path in finished.rglob("*") if path.is_file()}
    assert {name for name in files if not name.startswith(checkpoints.FOLDER)} <= states.keys()
    assert {path.parent.relative_to(finished).as_posix() for path in finished.rglob(checkpoints.STATE)} <= states.keys()
