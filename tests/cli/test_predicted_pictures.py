"""`jaxnn predict --pictures`: boxes on the picture of a detector, the mask of a segmenter."""

import json

import numpy as np
import pytest
from PIL import Image

from jaxnn.cli.predicted_pictures import mask, with_boxes
from jaxnn.data import load

SMALL = ["--data.n", 40, "--data.test-n", 4, "--data.validation", 8, "--data.test", 4, "--train.epochs", 1]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    for i, x in enumerate(load("canvas", {"n": 3, "test_n": 1, "noise": 0.0}).train.x):
        Image.fromarray(np.round(255 * x[..., 0]).astype(np.uint8)).save(folder / f"{i}.png")
    return folder


@pytest.mark.parametrize("config", ["canvas_detector", "canvas_unet"])
def test_predict_writes_a_picture_for_each_file(config, jaxnn, pictures, tmp_path):
    run, out = tmp_path / "run", tmp_path / "out"
    code, _, err = jaxnn("train", config, *SMALL, "--seeds", 1, "--out", run)
    assert code == 0, err
    words = ["predict", run, pictures, "--pictures", out, "--json", tmp_path / "rows.json"]
    code, _, err = jaxnn(*words)
    assert (code, err) == (0, f"jaxnn: pictures in {out}\n")
    assert sorted(path.name for path in out.iterdir()) == ["0000_0_png.png", "0001_1_png.png", "0002_2_png.png"]
    rows = json.loads((tmp_path / "rows.json").read_text())["rows"]
    with Image.open(out / "0000_0_png.png") as opened:
        picture = opened.copy()
    if config == "canvas_unet":
        assert picture.mode == "P" and picture.size == (24, 24)
        names = ["background", *map(str, range(10))]
        assert [[names[k] for k in row] for row in np.asarray(picture)] == rows[0]["class"]
    else:
        assert picture.size == (240, 240)
        assert {row["file"] for row in rows} == {str(pictures / f"{i}.png") for i in range(3)}
    code, _, err = jaxnn(*words)
    assert code == 2 and "expected a new folder, found something else there" in err


def test_pictures_of_a_classifier_are_refused(jaxnn, pictures, tmp_path):
    assert jaxnn("train", "digits_mlp", "--train.epochs", 1, "--out", tmp_path / "run")[0] == 0
    code, _, err = jaxnn("predict", tmp_path / "run", pictures, "--pictures", tmp_path / "out")
    assert code == 2 and "expected the run of a detector or of a segmenter, found Digits" in err
    assert not (tmp_path / "out").exists()


def test_box_is_drawn_where_the_object_is():
    prediction = np.zeros((6, 6, 7))
    prediction[2, 3] = (0, 0, 1, 0.5, 0.5, 2.0, 1.0)  # rows 6 to 14, columns 12 to 16 of 24 pixels
    image = np.asarray(with_boxes(np.zeros((24, 24), np.uint8), prediction, ("none", "a", "b")))
    drawn = np.argwhere((image == (0xD5, 0x5E, 0x00)).all(-1))
    assert np.abs(drawn.max(0) - (139, 159)).max() <= 1
    box = drawn[drawn[:, 0] >= 60]
    assert np.abs(box.min(0) - (60, 120)).max() <= 1
    assert (image[100, 135:145] == 0).all()


def test_mask_keeps_the_classes_and_shows_colours():
    labels = np.arange(12).reshape(3, 4)
    picture = mask(np.eye(12)[labels])
    assert np.array_equal(np.asarray(picture), labels)
    assert len(np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0)) == 12
