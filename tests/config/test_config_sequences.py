"""Every shipped config of sequences trains a few steps, here on small files of the same form as its data."""

import jax
import numpy as np
import pytest

from jaxnn.config import build_model, load
from jaxnn.config.experiment import make_experiment
from jaxnn.config.loaded_data import with_data_sizes
from jaxnn.runs.run import fit

WORDS = ("good", "bad", "film", "plot", "the", "a", "long", "short")
#: config -> overrides that leave a few steps of small batches
CONFIGS = {
    "adding_rnn": ("data.n=60", "data.length=12", "data.validation=10", "data.test=10"),
    "adding_gru": ("data.n=60", "data.length=12", "data.validation=10", "data.test=10"),
    "adding_lstm": ("data.n=60", "data.length=12", "data.validation=10", "data.test=10"),
    "digits_rows_lstm": ("data.train=64",),
    "vowels_gru": (),
    "names_gru": (),
    "shakespeare_lstm": ("data.window=8",),
    "shakespeare_words": ("data.window=4", "data.min_count=2"),
    "shakespeare_gpt_cpu": ("data.window=8", "train.steps=2", "net.2.layers=1"),
    "polarity_gru": ("data.min_count=1",),
    "polarity_attention": ("data.min_count=1",),
    "sst2_gru": ("data.min_count=1",),
    "airline_lstm": ("train.batch_size=10",),
    "sunspots_gru": ("data.window=12",),
}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder, generator = tmp_path_factory.mktemp("data"), np.random.default_rng(0)

    def sentence() -> str:
        return " ".join(generator.choice(WORDS, generator.integers(1, 9)))

    def ts(n: int) -> str:
        lines = []
        for label in range(1, n + 1):
            numbers = generator.normal(size=(12, generator.integers(7, 11))).round(3)
            lines.append(":".join(",".join(map(str, row)) for row in numbers) + f":{label % 9 + 1}")
        return "@classLabel true 1 2 3 4 5 6 7 8 9\n@data\n" + "\n".join(lines)

    months = "\n".join(f'"m{i}",{112 + i + i % 12}' for i in range(400))
    files = {
        "shakespeare/input.txt": "\n".join(sentence() + "." for _ in range(400)),
        "names/names.txt": "\n".join("".join(generator.choice([*"aeinlmr"], 5)) for _ in range(200)),
        "polarity/rt-polarity.pos": "\n".join(sentence() for _ in range(60)),
        "polarity/rt-polarity.neg": "\n".join(sentence() for _ in range(60)),
        **{
            f"sst2/{part}.tsv": "\n".join(f"{sentence()}\t{i % 2}" for i in range(60))
            for part in ("train", "dev", "test")
        },
        "vowels/JapaneseVowels_TRAIN.ts": ts(54),
        "vowels/JapaneseVowels_TEST.ts": ts(18),
        "series/airline-passengers.csv": '"Month","Passengers"\n' + months,
        "series/monthly-sunspots.csv": '"Month","Sunspots"\n' + months,
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.mark.figures
@pytest.mark.parametrize("name", CONFIGS)
def test_shipped_config_of_sequences_trains(name, data_dir, tmp_path):
    size = () if any("batch_size" in text for text in CONFIGS[name]) else ("train.batch_size=12",)
    config = load(name, [*CONFIGS[name], *size, "train.epochs=1"])
    experiment = make_experiment(config, data_dir=data_dir)
    run = fit(experiment, tmp_path / "run")
    scores = run.scores
    assert all(np.isfinite(values["loss"]).all() for values in scores.values())
    assert (tmp_path / "run" / "report.html").exists()


def test_transformer_for_a_gpu_has_the_layers_of_nano_gpt(data_dir):
    model = build_model(with_data_sizes(load("shakespeare_gpt"), data_dir))
    params = jax.eval_shape(model.init, jax.random.key(0), jax.ShapeDtypeStruct((2, 256), "int32"))
    shapes = [a.shape for a in jax.tree.leaves(params)]
    assert shapes.count((384, 3 * 384)) == 6 and (256, 384) in shapes
