"""`jaxnn generate`: the same seed gives the same text, a mistake is one line; samples stand in folder and report."""

import json
from html import escape
from pathlib import Path

import pytest

EXPERIMENTS = Path(__file__).with_name("text_experiment.py")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture
def runs(trained, jaxnn):
    for name in ("recurrent", "gpt"):
        if not (trained / name).exists():
            code, _, err = jaxnn("train", f"{EXPERIMENTS}:{name}", "--out", trained / name)
            assert code == 0, err
    return trained


@pytest.mark.parametrize("name", ["recurrent", "gpt"])
def test_generate_continues_the_prompt_by_the_seed(runs, jaxnn, tmp_path, name):
    file = tmp_path / "texts.json"
    words = ["generate", runs / name, "--prompt", "the cat", "--length", 30, "--seed", 3, "--samples", 2]
    code, out, err = jaxnn(*words, "--json", file)
    assert (code, err) == (0, "")
    texts = [row["text"] for row in json.loads(file.read_text())["rows"]]
    assert [len(text) for text in texts] == [len("the cat") + 30] * 2 and texts[0] != texts[1]
    assert all(text.startswith("the cat") and text in out for text in texts)
    assert out.startswith("— sample 1 of 2 —\nthe cat")
    assert jaxnn(*words)[1] == out
    assert jaxnn(*[4 if word == 3 else word for word in words])[1] != out
    options = ["--temperature", 0.8, "--top-k", 5, "--top-p", 0.9]
    assert jaxnn(*words, *options)[0] == 0
    greedy = [jaxnn(*words[:-4], "--seed", seed, "--temperature", 0)[1] for seed in (1, 2)]
    assert greedy[0] == greedy[1]


def test_generate_uses_the_trained_seed_that_is_named(runs, jaxnn):
    words = ["generate", runs / "recurrent", "--length", 40, "--run-seed"]
    assert jaxnn(*words, 0)[1] != jaxnn(*words, 1)[1]


def test_generate_ends_a_text_before_the_stop(runs, jaxnn):
    words = ["generate", runs / "recurrent", "--prompt", "the", "--length", 60, "--seed", 5]
    whole = jaxnn(*words)[1].removesuffix("\n")
    for stop in (whole[20], whole[20:23]):
        assert jaxnn(*words, "--stop", stop)[1] == whole[: whole.index(stop, 3)] + "\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--prompt", "the cät"], "prompt: expected characters of the training text, found 'ä'; leave it out"),
        (["--prompt", "~"], "prompt: expected characters of the training text, found '~'"),
        (["--stop", "#"], "stop: expected characters of the training text, found '#'"),
        (["--prompt", ""], "prompt: expected a text of at least one of its characters, found ''"),
        (["--length", 0], "generate: expected a length of at least 1"),
        (["--temperature", -1], "a temperature and a top_k of at least 0"),
        (["--temperature", "nan"], "a temperature and a top_k of at least 0"),
        (["--top-p", 0], "top_p in (0, 1]"),
        (["--samples", 0], "at least 1 prompt and 1 sample, found 1 and 0"),
        (["--run-seed", 2], "--run-seed: expected the position of one of 2 seeds, 0 first, found 2"),
        (["--seed", -1], "--seed: expected a number from 0 to"),
    ],
)
def test_generate_says_in_one_line_what_cannot_be(runs, jaxnn, words, message):
    code, out, err = jaxnn("generate", runs / "recurrent", *words)
    assert (code, out) == (2, "") and message in err and err.count("\n") == 1


def test_samples_of_a_training_stand_in_its_folder_and_report(runs, jaxnn):
    for name in ("recurrent", "gpt"):
        samples = json.loads((runs / name / "samples.json").read_text())
        assert samples[0]["steps"] == 0 and samples[-1]["best"] and len(samples) >= 3
        report = (runs / name / "report.html").read_text("utf-8")
        for sample in samples:
            assert escape(sample["text"]) in report
        assert "After 0 epochs" in report and "Best parameters" in report
    assert jaxnn("checkpoint", "verify", runs / "gpt")[0] == 0


def test_plot_keeps_the_samples_of_the_report(runs, jaxnn):
    before = (runs / "gpt" / "report.html").read_text("utf-8")
    assert jaxnn("plot", runs / "gpt")[0] == 0
    text = json.loads((runs / "gpt" / "samples.json").read_text())[0]["text"]
    after = (runs / "gpt" / "report.html").read_text("utf-8")
    assert escape(text) in before and escape(text) in after
