"""Sets are read by name through tfds.data_source; the tests prepare one by tfds itself, without TensorFlow."""

import subprocess
import sys

import chex
import numpy as np
import optax
import pytest
from PIL import Image

from jaxnn import dense, flatten, serial, softmax_cross_entropy
from jaxnn.data import load, split
from jaxnn.data.rows import Rows
from jaxnn.engine.driver import drive
from jaxnn.engine.job import Job
from jaxnn.errors import UserError
from jaxnn.train import Plan, in_memory, random_access, supervised

BUILDER = '''
from pathlib import Path

import tensorflow_datasets as tfds


class TinyShapes(tfds.core.GeneratorBasedBuilder):
    """Images of noise, two classes."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = {
            "image": tfds.features.Image(shape=(5, 7, 1)),
            "label": tfds.features.ClassLabel(names=["round", "square"]),
        }
        return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features))

    def _split_generators(self, manager):
        del manager
        return {part: self._generate_examples(part) for part in ("train", "test")}

    def _generate_examples(self, part):
        for path in sorted((Path(__file__).parent / part).glob("*.png")):
            yield path.stem, {"image": str(path), "label": int(path.stem) % 2}
'''
PREPARE = (
    "import sys; from tinyshapes.tinyshapes import TinyShapes;"
    "TinyShapes(data_dir=sys.argv[1], file_format='array_record').download_and_prepare()"
)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """The data folder, and the images that were written into it."""
    pytest.importorskip("tensorflow_datasets", reason="the extra tfds is not installed")
    root = tmp_path_factory.mktemp("tfds")
    package, data = root / "tinyshapes", root / "data"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "tinyshapes.py").write_text(BUILDER)
    for name in ("TAGS.txt", "README.md", "CITATIONS.bib"):
        (package / name).touch()
    images = {}
    for part, count in (("train", 11), ("test", 3)):
        images[part] = np.random.default_rng(count).integers(0, 256, (count, 5, 7), np.uint8)
        (package / part).mkdir()
        for row, image in enumerate(images[part]):
            Image.fromarray(image).save(package / part / f"{row:03d}.png")
    command = [sys.executable, "-c", PREPARE, str(data)]
    process = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120, check=False)
    assert process.returncode == 0, process.stderr
    return data, images


def by_content(images, labels):
    """Sorted pairs of (image, label), because preparing shuffles the examples."""
    return sorted((image.tobytes(), int(label)) for image, label in zip(images, labels, strict=True))


def test_tfds_reads_a_prepared_set_exactly(prepared):
    data, images = prepared
    dataset = load("tfds:tiny_shapes", data_dir=data)
    assert dataset.name == "tfds:tiny_shapes"
    assert dataset.classes == ("round", "square")
    assert dataset.max_value == 255
    assert dataset.test is not None
    for part, written in ((dataset.train, images["train"]), (dataset.test, images["test"])):
        assert part.x.shape[1:] == (5, 7, 1)
        assert part.x.dtype == np.uint8
        assert by_content(part.x, part.y) == by_content(written, np.arange(len(written)) % 2)


def test_records_that_are_read_while_a_net_trains_are_those_in_memory(prepared):
    data, _ = prepared
    stored, memory = (load("tfds:tiny_shapes", data_dir=data, most_bytes=most).train for most in (0, None))
    assert isinstance(stored.x, Rows)
    np.testing.assert_array_equal(np.asarray(stored.x), memory.x)
    np.testing.assert_array_equal(stored.y, memory.y)

    def prepare(stats, batch):
        return batch[0].astype(np.float32) / 255, batch[1]

    update = supervised(serial(flatten(), dense(2)), softmax_cross_entropy(), optax.sgd(0.1))
    sources = (
        random_access(tuple(stored), batch_size=3, prepare=prepare, window_bytes=2 * 3 * 39),
        in_memory(*memory, batch_size=3, prepare=prepare),
    )
    assert sources[0].block == 2  # steps of a window
    streamed, kept = (drive(Job(lambda h, source=source: update, source, Plan(5), (0,))) for source in sources)
    chex.assert_trees_all_equal(streamed.state.update, kept.state.update)


def test_tfds_test_split_is_the_official_test_part(prepared):
    data, images = prepared
    parts = split(load("tfds:tiny_shapes", data_dir=data), validation=2, test=1.0)
    assert parts.test is not None
    assert len(parts.train.x) == 9
    assert sorted(image.tobytes() for image in parts.test.x) == sorted(image.tobytes() for image in images["test"])


def test_tfds_does_not_import_tensorflow(prepared):
    data, _ = prepared
    code = (
        "import sys; from jaxnn.data import load; load('tfds:tiny_shapes', data_dir=sys.argv[1]);"
        "assert 'tensorflow' not in sys.modules and 'jax' not in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code, str(data)], check=True, timeout=120)


def test_tfds_missing_set_error_says_how_to_prepare_it(prepared):
    data, _ = prepared
    for name in ("tiny_shapes:2.0.0", "no_such_set", "mnist"):
        with pytest.raises(UserError, match="prepare it with"):
            load(f"tfds:{name}", data_dir=data)


@pytest.mark.parametrize(
    "name", ["", "../../etc", "huggingface:mnist", "mnist/a=True", "/etc/passwd", "gs://bucket/mnist"]
)
def test_tfds_refuses_invalid_names(name, tmp_path):
    with pytest.raises(UserError, match="expected a name"):
        load(f"tfds:{name}", data_dir=tmp_path)


def test_tfds_missing_package_error_names_the_package(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(UserError, match="pip install tensorflow-datasets"):
        load("tfds:mnist", data_dir=tmp_path)
