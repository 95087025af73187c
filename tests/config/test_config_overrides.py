"""An override equals an edit of the file, and a wrong one is named in the error."""

import re

import pytest

from jaxnn.config import ConfigError, build_optimizer, find, load
from jaxnn.config.dump import dump

EDITS = [
    ("optimizer.learning_rate=0.5", "learning_rate = 0.003", "learning_rate = 0.5"),
    ("--optimizer.learning-rate=.5", "learning_rate = 0.003", "learning_rate = 0.5"),
    ("train.batch-size=full", "batch_size = 32", ""),
    ("train.batch_size=", "batch_size = 32", ""),
    ("train.best=train.loss", '"validation.loss"', '"train.loss"'),
    ("title=two words", '"Digits, embedded: multi-layer perceptron"', '"two words"'),
    ("net.1.weight_init=zeros", '"he_normal"', '"zeros"'),
    ('net.1.weight_init={name="uniform", high=1}', '"he_normal"', '{name = "uniform", high = 1}'),
    ('net.1={layer="dense", units=7}', 'units = 256\nweight_init = "he_normal"', "units = 7"),
    ("optimizer.b1=0.5", "learning_rate = 0.003", "learning_rate = 0.003\nb1 = 0.5"),
    ("optimizer.clip_norm=1", "learning_rate = 0.003", "learning_rate = 0.003\nclip_norm = 1.0"),
    ("optimizer.accumulate=4", "learning_rate = 0.003", "learning_rate = 0.003\naccumulate = 4"),
    ('optimizer.groups=[{match="0/*"}]', "learning_rate = 0.003", 'learning_rate = 0.003\ngroups = [{match = "0/*"}]'),
    ("data.test=0.25", "test = 360", "test = 0.25"),
]


@pytest.mark.parametrize(("override", "old", "new"), EDITS)
def test_override_equals_edit_of_file(tmp_path, override, old, new):
    text = find("digits_mlp").read_text(encoding="utf-8")
    assert old in text
    edited = tmp_path / "edited.toml"
    edited.write_text(text.replace(old, new), encoding="utf-8")
    assert load("digits_mlp", [override]) == load(edited) != load("digits_mlp")


def test_override_last_of_two_wins():
    assert load("digits_mlp", ["train.epochs=3", "train.epochs=7"]).train.epochs == 7


def test_override_replaces_learning_rate_by_schedule():
    schedule = "optimizer.schedule.name=piecewise_constant_schedule"
    values = ["optimizer.schedule.init_value=0.5", "optimizer.schedule.boundaries_and_scales={11=0.1, 13=0.2}"]
    config = load("digits_mlp", ["optimizer.learning_rate=", schedule, *values])
    assert config.optimizer.schedule is not None and config.optimizer.learning_rate is None
    assert config.optimizer.schedule.options["boundaries_and_scales"] == {11: 0.1, 13: 0.2}
    assert build_optimizer(config)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.epochs", "expected dotted.name=value"),
        ("=3", "expected dotted.name=value"),
        ("train..epochs=3", "expected dotted.name=value"),
        (f"{'a.' * 17}b=3", "expected dotted.name=value"),
        ("train.epochs=ten", "train.epochs: expected an integer of at least 1, found 'ten'"),
        ("train.epochs=0", "train.epochs: expected an integer of at least 1, found 0"),
        ("train.epochs=1\nseeds = 2", "train.epochs: expected an integer of at least 1, found '1\\nseeds = 2'"),
        ("train.epochs=", "train.epochs: expected an integer of at least 1, found none"),
        ("train.epochs.x=1", "expected a table train.epochs, found 40"),
        ("optimzer.learning_rate=1", "optimzer: unknown key; did you mean optimizer?"),
        ("optimizer.learning_rte=1", "optimizer.learning_rte: unknown key; did you mean learning_rate?"),
        ("optimizer.schedule.name=constant_schedule", "optimizer.schedule.value: expected a number, found none"),
        ("net.99.units=1", "expected an index from 0 to 4 in net, found 99"),
        ("net.units=1", "expected an index from 0 to 4 in net, found units"),
        ("net.1=", "expected a value: only a key can be removed"),
        ("net.1.units=0", "net.1: dense: expected at least 1 unit, found 0"),
        ("net=dense", "net: expected a list of tables, each with its layer, found 'dense'"),
        ("data.0=1", "expected a key of data, found 0"),
        ("data.validation=", "train.best: validation.loss needs data.validation"),
    ],
)
def test_override_error_names_override(override, message):
    with pytest.raises(ConfigError) as error:
        load("digits_mlp", [override])
    assert any(message in line for line in error.value.lines), error.value
    if "needs" not in message:
        assert f"override {override}: " in str(error.value)


def test_load_reports_wrong_overrides_and_lines_together(tmp_path):
    path = tmp_path / "x.toml"
    path.write_text(find("digits_mlp").read_text(encoding="utf-8").replace("epochs", "epoch"), encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        load(path, ["net.9.units=1", "optimizer.l2=x"])
    text = str(error.value)
    assert "override net.9.units=1" in text and "override optimizer.l2=x" in text and "train.epoch: unknown" in text


TABLE = """
title = "A table"
[data]
name = "csv"
path = "t.csv"
[[net]]
layer = "dense"
units = 2
[loss]
name = "softmax_cross_entropy"
[optimizer]
name = "adam"
learning_rate = 0.1
[train]
epochs = 1
best = "train.loss"
"""


@pytest.mark.parametrize("text", ["\t", " ", ";", "=", "|", "#", "'", '"', "\\t", "tab", "==", "a b", "ä"])
def test_override_takes_any_text(tmp_path, text):
    path = tmp_path / "table.toml"
    path.write_text(TABLE, encoding="utf-8")
    config = load(path, [f"data.delimiter={text}"])
    assert config.data.options["delimiter"] == text
    (tmp_path / "dumped.toml").write_text(dump(config), encoding="utf-8")
    assert load(tmp_path / "dumped.toml") == config


@pytest.mark.parametrize(
    ("override", "option", "value"),
    [
        ("data.label=-1", "label", -1),
        ("data.label=y", "label", "y"),
        ('data.label=["u", 2]', "label", ("u", 2)),
        ("data.ignore=date", "ignore", "date"),
        ("data.header=true", "header", True),
        ("data.header=auto", "header", "auto"),
        ('data.missing-values=["", "-999"]', "missing_values", ("", "-999")),
    ],
)
def test_override_of_a_table_s_columns_is_a_name_an_index_or_a_list(tmp_path, override, option, value):
    path = tmp_path / "table.toml"
    path.write_text(TABLE, encoding="utf-8")
    config = load(path, [override])
    assert config.data.options[option] == value
    (tmp_path / "dumped.toml").write_text(dump(config), encoding="utf-8")
    assert load(tmp_path / "dumped.toml") == config


@pytest.mark.parametrize("override", ["data.label=1.5", "data.label=[1.5]", "data.header=yes", "data.decimal=;"])
def test_override_of_a_table_s_columns_refuses_other_types(tmp_path, override):
    path = tmp_path / "table.toml"
    path.write_text(TABLE, encoding="utf-8")
    with pytest.raises(ConfigError, match=f"override {re.escape(override)}: data.*expected"):
        load(path, [override])
