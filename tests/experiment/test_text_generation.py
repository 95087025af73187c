"""Texts that a run generates: those of its model and its vocabulary, whatever stands beside them."""

import json
from dataclasses import replace
from typing import Any

import jax
import numpy as np
import pytest

import jaxnn
from jaxnn.config import load
from jaxnn.config.experiment import make_experiment
from jaxnn.data.text import TextReader
from jaxnn.errors import UserError
from jaxnn.experiment.definition import seed_params
from jaxnn.runs.samples import NAME, Sample, SampleWriter, read_samples
from tests.cli.text_experiment import WINDOW, language_model


@pytest.fixture(scope="module")
def runs():
    with jax.enable_x64(False), jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        return {kind: jaxnn.fit(language_model(kind, seeds=(0, 1))) for kind in ("recurrent", "gpt")}


@pytest.mark.parametrize("kind", ["recurrent", "gpt"])
def test_run_generates_what_its_model_draws(runs, kind):
    run = runs[kind]
    reader, model = run.experiment.data.reader, run.experiment.bound().model
    prompt = reader.encode("the ")
    context = WINDOW if kind == "gpt" else None
    drawn = jaxnn.generate(
        model,
        seed_params(run.params, 1),
        np.tile(prompt, (2, 1)),
        25,
        jax.random.fold_in(jax.random.key(3), 0),
        temperature=0.7,
        top_k=4,
        context=context,
    )
    texts = run.generate("the ", 25, temperature=0.7, top_k=4, seed=3, samples=2, run_seed=1)
    assert texts == ["the " + reader.decode(row) for row in drawn]


def test_run_generates_a_prompt_alike_beside_others_of_other_lengths(runs):
    run = runs["recurrent"]
    texts = run.generate(["the cat", "a", "on the"], 20, seed=1)
    assert [text[:n] for text, n in zip(texts, (7, 1, 6), strict=True)] == ["the cat", "a", "on the"]
    assert run.generate(["the cat", "the cat"], 20, seed=1)[0] == texts[0]
    assert run.generate(["the cat"] * 2, 20, seed=1)[1] != texts[0]


def test_run_without_a_prompt_begins_a_line(runs):
    text = runs["recurrent"].generate(length=20, temperature=0.0)[0]
    assert len(text) == 20 and "\n" + text == runs["recurrent"].generate("\n", 20, temperature=0.0)[0]


@pytest.mark.parametrize("tokens", ["bytes", "words"])
def test_run_generates_bytes_and_words(tokens):
    run = jaxnn.fit(language_model("recurrent", tokens, epochs=1))
    text, reader = run.generate("the cat", 12, seed=2)[0], run.experiment.data.reader
    assert isinstance(reader, TextReader)
    assert text.startswith("the cat")
    assert len(text) == 7 + 12 if tokens == "bytes" else len(reader.encode(text)) == 2 + 12


def test_generate_refuses_a_run_that_continues_no_text(runs):
    run = runs["recurrent"]
    experiment, rows = run.experiment, len(run.experiment.data.reader.vocabulary)
    loss, adam = jaxnn.softmax_cross_entropy(), jaxnn.optimizer("adam", 0.02)
    looks_ahead = jaxnn.serial(jaxnn.embedding(rows, 8), jaxnn.bidirectional(jaxnn.gru(4)), jaxnn.dense(rows))
    other_size = jaxnn.serial(jaxnn.embedding(rows, 8), jaxnn.recur(jaxnn.gru(4)), jaxnn.dense(rows + 1))
    cases = [
        (experiment._replace(data=jaxnn.DataInfo()), "expected the run of a text, found data without a vocabulary"),
        (experiment._replace(update=jaxnn.supervised(looks_ahead, loss, adam)), "depend on earlier places only"),
        (experiment._replace(update=jaxnn.supervised(other_size, loss, adam)), f"logits of {rows} tokens for each"),
        (experiment._replace(update=experiment.update._replace(model=None)), "depend on earlier places only"),
    ]
    for changed, message in cases:
        model = changed.update.model or looks_ahead
        params = jax.tree.map(lambda a: a[None], model.init(jax.random.key(0), experiment.source.example[0]))
        with pytest.raises(UserError, match=message):
            replace(run, experiment=changed, params=params).generate("the", 5)


def test_model_in_bfloat16_is_continued(runs):
    model = runs["gpt"].experiment.bound().model
    params = jax.tree.map(jax.numpy.asarray, seed_params(runs["gpt"].params, 0))
    low = jaxnn.compute_in(model, "bfloat16")
    assert low.time is not None and low.time.start is not None and low.time.extend is not None
    x = np.arange(8, dtype=np.int32)[None] % 5
    memory = low.time.start(params, 1, 8)
    pieces = []
    for piece in (x[:, :3], x[:, 3:]):
        y, memory = low.time.extend(params, memory, piece)
        pieces.append(y)
    whole = low.apply(params, x)
    assert pieces[0].dtype == whole.dtype
    np.testing.assert_allclose(np.concatenate(pieces, 1), whole, atol=0.1)


def test_resumed_training_has_the_samples_of_one_without_interruption(runs, tmp_path):
    experiment = runs["recurrent"].experiment
    state = jax.tree.map(lambda a: a[None], experiment.bound().init(jax.random.key(0), experiment.source.example))
    steps = experiment.plan.epochs * experiment.source.steps
    whole = SampleWriter(experiment)
    for done in (0, 1, steps // 2, steps):
        whole.add(tmp_path, done, state)
    assert [sample.steps for sample in read_samples(tmp_path)] == [0, steps // 2, steps]  # the second comes too early
    expected = (tmp_path / NAME).read_bytes()
    resumed = SampleWriter(experiment, read_samples(tmp_path), steps // 2)
    assert [sample.steps for sample in resumed.samples] == [0, steps // 2]
    resumed.add(tmp_path, steps, state)
    assert (tmp_path / NAME).read_bytes() == expected


@pytest.mark.parametrize("content", ["{", "[1]", '[{"steps": -1, "epoch": 0, "text": ""}]', '[{"text": 3}]', "null"])
def test_samples_of_another_form_are_refused(tmp_path, content):
    (tmp_path / NAME).write_text(content)
    with pytest.raises(UserError, match="expected the samples of a run, found"):
        read_samples(tmp_path)
    (tmp_path / NAME).write_text(json.dumps([Sample(0, 0.0, "a")._asdict()]))
    assert read_samples(tmp_path) == [Sample(0, 0.0, "a")]


def test_run_of_other_data_writes_no_samples(tmp_path):
    experiment = language_model("recurrent", epochs=1)
    jaxnn.fit(experiment._replace(data=jaxnn.DataInfo()), tmp_path / "run")
    assert not (tmp_path / "run" / NAME).exists()


def test_model_of_lines_begins_and_ends_a_line(tmp_path):
    names = ["anna", "hannah", "nana", "han"]
    (tmp_path / "names.txt").write_text("\n".join(names * 30), "utf-8")
    small = [
        f"data.file={tmp_path}/names.txt",
        "data.validation=20",
        "data.test=20",
        "train.epochs=60",
        "train.batch_size=8",
    ]
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"), jax.enable_x64(False):
        run: Any = jaxnn.fit(make_experiment(load("names_gru", [*small, "train.best=last"])))
        assert run.generate(None, 20, temperature=0.0)[0] in names
        drawn = run.generate("ha", 20, samples=8, seed=0)
        assert all(text.startswith("ha") and "\n" not in text for text in drawn)
        assert len(set(drawn)) > 1
        # Another end than that of the line: the text goes on over lines.
        assert any("\n" in text for text in run.generate(None, 40, samples=4, seed=0, stop="hannah"))
        with pytest.raises(UserError, match="found 'x'"):
            run.generate("x", 5)
