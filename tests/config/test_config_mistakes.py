"""Every mistake in a config is reported at once, each with its file, its line and the nearest valid name."""

import pytest

from jaxnn.config import ConfigError, load
from jaxnn.config.toml_file import MAX_BYTES

GOOD = """\
title = "test"
[data]
name = "blobs"
validation = 0.2
[[net]]
layer = "dense"
units = 2
[loss]
name = "softmax_cross_entropy"
[optimizer]
name = "adam"
learning_rate = 0.1
[train]
epochs = 6
"""
NET = 'layer = "dense"\nunits = 2\n'

#: The text that is replaced, its replacement, the line of the mistake, a part of its message.
MISTAKES = [
    ('title = "test"', 'titel = "test"', 1, "titel: unknown key; did you mean title?"),
    ('title = "test"', "title = 3", 1, "title: expected text, found 3"),
    ('name = "blobs"', 'name = "blob"', 3, "data.name: unknown name 'blob'; did you mean blobs?"),
    ('name = "blobs"', 'nam = "blobs"', 2, "data.name: expected one of"),
    ('name = "blobs"', 'name = "blobs"\nnose = 0.3', 4, "data.nose: unknown key"),
    ('name = "blobs"', 'name = "blobs"\nn = 1.5', 4, "data.n: expected an integer, found 1.5"),
    ("validation = 0.2", "validation = 1.2", 4, "data.validation: expected a count (500) or a fraction of 1 (0.2)"),
    ("validation = 0.2", "validation = -3", 4, "data.validation: expected a count"),
    ("validation = 0.2", "validation = true", 4, "data.validation: expected a count"),
    ("validation = 0.2", "validation = 2\ntrain = 0", 5, "data.train: expected examples to train on, found 0"),
    ("validation = 0.2", 'validation = 2\npreprocess = "unite"', 5, "expected one of none, unit, center"),
    (
        "validation = 0.2",
        "validation = 2\nseed = -1",
        5,
        "data.seed: expected an integer of at least 0 and below 4294967296, found -1",
    ),
    ("validation = 0.2\n", "", 12, "train.best: validation.accuracy needs data.validation, found none"),
    ("units = 2", "units = 0", 5, "net.0: dense: expected at least 1 unit, found 0"),
    ("units = 2", "units = true", 7, "net.0.units: expected an integer or one of classes, tokens, found true"),
    ("units = 2", "unit = 2", 7, "net.0.unit: unknown key; did you mean units?"),
    ("units = 2\n", "", 5, "net.0.units: expected an integer or one of classes, tokens, found none"),
    ("units = 2", "units = 2\nweight_init = 'he_norml'", 8, "net.0.weight_init: expected an initializer among"),
    ("units = 2", "units = 2\nweight_init = 'constant'", 8, "net.0.weight_init: expected an initializer"),
    ("units = 2", "units = 2\nweight_init = {name='normal', stddev='x'}", 8, "net.0.weight_init: expected an init"),
    (
        "units = 2",
        "units = 2\nbias_init = 'he_normal'",
        8,
        "net.0.bias_init: expected an initializer for an array of 1",
    ),
    ("units = 2", "units = 2\n[net.weight_init]\nname = 'uniform'\nlow = 3", 8, "expected low < high, found 3 and 0.1"),
    (NET, 'layer = "dens"\n', 6, "net.0.layer: unknown name 'dens'; did you mean dense?"),
    (NET, "", 5, "net.0.layer: expected one of identity, sigmoid"),
    (NET, 'layer = "dropout"\nrate = 1.5\n', 5, "net.0: dropout: expected a rate (the fraction dropped) in [0, 1)"),
    (NET, 'layer = "dropout"\nrate = nan\n', 7, "net.0.rate: expected a finite number, found nan"),
    (NET, 'layer = "conv"\nchannels = 3\nkernel = 0\n', 5, "net.0: conv kernel: expected one positive integer"),
    (NET, 'layer = "conv"\nchannels = 3\nkernel = [3, "x"]\n', 8, "expected an integer or a list of integers"),
    (NET, 'layer = "max_pool"\nwindow = 2\npadding = "SAM"\n', 8, "net.0.padding: expected one of SAME, VALID or"),
    (NET, 'layer = "serial"\nlayers = []\n', 7, "net.0.layers: expected a list of tables"),
    (NET, 'layer = "residual"\nlayers = [\n{layer = "tanh"},\n{layer = "tan"}]\n', 9, "net.0.layers.1.layer: unknown"),
    (NET, 'layer = "parallel"\ncombine = "add"\nlayers = [{layer = "tanh"}]\n', 7, "expected one of sum, concatenate"),
    (NET, 'layer = "parallel"\nlayers = [{layer = "dense", units = 0}]\n', 7, "net.0.layers.0: dense: expected at lea"),
    (f"[[net]]\n{NET}", "[net]\n", 5, "net: expected a list of tables, each with its layer, found {}"),
    (
        'name = "softmax_cross',
        'name = "softmx_cross',
        9,
        "loss.name: unknown name 'softmx_cross_entropy'; did you mean",
    ),
    ("entropy", 'entropy"\nreduction = "avg', 10, "loss.reduction: expected one of mean, sum, found 'avg'"),
    (
        "entropy",
        'entropy"\nclass_weights = []\n#"',
        10,
        "loss.class_weights: expected a list of numbers above 0, found",
    ),
    ("entropy", 'entropy"\nclass_weights = [1, 0]\n#"', 10, "loss.class_weights: expected a list of numbers above 0"),
    ('name = "adam"', 'name = "adm"', 11, "optimizer.name: unknown name 'adm'; did you mean adam?"),
    (
        "learning_rate = 0.1",
        "learning_rte = 0.1",
        12,
        "optimizer.learning_rte: unknown key; did you mean learning_rate?",
    ),
    ("learning_rate = 0.1", "learning_rte = 0.1", 10, "optimizer.learning_rate: expected a number above 0"),
    (
        "learning_rate = 0.1",
        "learning_rate = -0.1",
        12,
        "optimizer.learning_rate: expected a number above 0, found -0.1",
    ),
    (
        "learning_rate = 0.1",
        "learning_rate = 1e999",
        12,
        "optimizer.learning_rate: expected a finite number, found inf",
    ),
    ("learning_rate = 0.1", "learning_rate = 0.1\nl2 = -1", 13, "optimizer.l2: expected a number of at least 0"),
    ("learning_rate = 0.1", "learning_rate = 0.1\nb1 = 'x'", 13, "optimizer.b1: expected a number, found 'x'"),
    ("learning_rate = 0.1", "learning_rate = 0.1\nmask = 1", 13, "optimizer.mask: unknown key"),
    ("learning_rate = 0.1", "schedule = {name = 'linear_schedul'}", 12, "optimizer.schedule.name: unknown name"),
    (
        "learning_rate = 0.1",
        "schedule = {name = 'constant_schedule'}",
        12,
        "optimizer.schedule.value: expected a number",
    ),
    (
        "learning_rate = 0.1",
        "schedule = {name = 'cosine_onecycle_schedule', transition_steps = 9, peak_value = 1, div_factor = 0}",
        12,
        "schedule 'cosine_onecycle_schedule': float division by zero",
    ),
    ("learning_rate = 0.1", "learning_rate = 1\nl2 = 1e999", 13, "optimizer.l2: expected a finite number, found inf"),
    ("learning_rate = 0.1", "learning_rate = 1\nclip_norm = 0", 13, "optimizer.clip_norm: expected a number above 0"),
    ("learning_rate = 0.1", "learning_rate = 1\nclip_value = -1", 13, "optimizer.clip_value: expected a number above"),
    ("learning_rate = 0.1", "learning_rate = 1\naccumulate = 0", 13, "optimizer.accumulate: expected an integer of at"),
    (
        "learning_rate = 0.1",
        "learning_rate = 1\naverage = 1",
        13,
        "optimizer.average: expected a number of at least 0 and below 1, found 1",
    ),
    ("learning_rate = 0.1", "learning_rate = 1\ngroups = 3", 13, "optimizer.groups: expected a list of tables, each"),
    (
        "learning_rate = 0.1",
        "learning_rate = 1\n[[optimizer.groups]]\nfrozen = true",
        13,
        "optimizer.groups.0.match: expected text, found none",
    ),
    (
        "learning_rate = 0.1",
        'learning_rate = 1\n[[optimizer.groups]]\nmatch = "*"\nfrozn = true',
        15,
        "optimizer.groups.0.frozn: unknown key; did you mean frozen?",
    ),
    (
        "learning_rate = 0.1",
        'learning_rate = 1\ngroups = [{match = "*", frozen = true, l2 = 1}]',
        10,
        "optimizer: optimizer group '*': expected learning_rate and l2, or frozen, found both; remove one",
    ),
    (
        'name = "adam"\nlearning_rate = 0.1',
        'name = "bfgs"\nclip_norm = 1',
        12,
        "optimizer.clip_norm: bfgs does not clip gradients; remove clip_norm",
    ),
    (
        'name = "adam"\nlearning_rate = 0.1',
        'name = "bfgs"\naccumulate = 2',
        12,
        "optimizer.accumulate: bfgs uses the whole training set in every step; remove accumulate",
    ),
    (
        'name = "adam"\nlearning_rate = 0.1',
        'name = "bfgs"\ngroups = [{match = "*"}]',
        12,
        "optimizer.groups: bfgs trains all parameters together; remove groups",
    ),
    (
        "learning_rate = 0.1",
        'learning_rate = 1\n[[compare]]\noptimizer = {name = "sgd"}',
        14,
        "compare.0.optimizer.learning_rate: expected a number above 0, or the table [optimizer.schedule]; found none",
    ),
    ("learning_rate = 0.1", "learning_rate = 1\nschedule = {name = 'constant_schedule', value = 1}", 12, "found both"),
    ("epochs = 6", "epochs = 0", 14, "train.epochs: expected an integer of at least 1, found 0"),
    ("epochs = 6", "epochs = 6.0", 14, "train.epochs: expected an integer of at least 1, found 6.0"),
    ("epochs = 6", "epochs = 9223372036854775808", 14, "train.epochs: expected an integer of 32 bits"),
    ("epochs = 6", "epochs = 2024-01-01", 14, "train.epochs: expected no date or time, found 2024-01-01"),
    ("epochs = 6", "epochs = 6\neval_every = 4", 15, "train.eval_every: expected a divisor of epochs, 6, found 4"),
    (
        "epochs = 6",
        "epochs = 6\nbatch_size = 'half'",
        15,
        "train.batch_size: expected an integer of at least 1 or full",
    ),
    ("epochs = 6", "epochs = 6\nseeds = 0", 15, "train.seeds: expected an integer of at least 1, found 0"),
    ("epochs = 6", "epochs = 6\nbest = 'accuracy'", 15, "train.best: expected one of validation.accuracy"),
    ("epochs = 6", "epochs = 6\nprecision = 'float16'", 15, "train.precision: expected one of float32"),
    ("epochs = 6", "epochs = 6\ncompute = 'float64'", 15, "train.compute: expected one of float32, bfloat16, found"),
    ("epochs = 6", "epochs = 6\n[optimiser]", 15, "optimiser: unknown key; did you mean optimizer?"),
    ("epochs = 6", "epochs =", 14, "expected TOML: Invalid value"),
    ("epochs = 6", "epochs = 6\nepochs = 7", 15, "expected TOML: Cannot overwrite a value"),
    ("epochs = 6", "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q = 1", 14, "expected at most 16 levels"),
    ("epochs = 6", f"epochs = {'[' * 17}", 14, "expected at most 16 levels"),
]


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def config(text):
        (tmp_path / "x.toml").write_text(text, encoding="utf-8")
        return "x.toml"

    return config


def lines(error: pytest.ExceptionInfo[ConfigError]) -> list[str]:
    return str(error.value).split("\n")


def test_load_accepts_config_without_mistakes(write):
    assert load(write(GOOD)).train.epochs == 6


@pytest.mark.parametrize(("old", "new", "line", "message"), MISTAKES)
def test_load_reports_mistake_with_its_line(write, old, new, line, message):
    assert old in GOOD
    with pytest.raises(ConfigError) as error:
        load(write(GOOD.replace(old, new)))
    assert any(text.startswith(f"x.toml:{line}: ") and message in text for text in lines(error)), str(error.value)


def test_load_reports_all_mistakes_in_order_of_file(write):
    text, expected = GOOD, []
    for old, new, line, message in (m for m in MISTAKES if m[0].count("\n") == m[1].count("\n") == 0):
        if old in text and "TOML" not in message and "levels" not in message:
            text = text.replace(old, new)
            expected.append((line, message))
    with pytest.raises(ConfigError) as error:
        load(write(text))
    assert len(expected) >= 8
    for line, message in expected:
        assert any(line_text.startswith(f"x.toml:{line}: ") and message in line_text for line_text in lines(error)), (
            message
        )
    order = [int(text.split(":")[1]) for text in lines(error)]
    assert order == sorted(order)


def test_load_refuses_batch_larger_than_training_set(write):
    with pytest.raises(ConfigError, match=r"^x.toml:16: train.batch_size: expected at most data.train, 19, found 23"):
        load(write(GOOD.replace("validation", "train = 19\nvalidation") + "batch_size = 23\n"))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"title = '\xff'", "x.toml:1: expected text in UTF-8, found the byte 0xff"),
        (b"#" * (MAX_BYTES + 1), "x.toml: expected a config of at most 64 KiB, found more"),
        (b"x = " + b"9" * 5000, "x.toml: expected numbers of 64 bits"),
        (b"x = [\n1,\n'", "x.toml:3: expected TOML"),
        (b"", "x.toml:1: title: expected text, found none"),
    ],
)
def test_load_refuses_file_that_is_no_config(write, tmp_path, data, message):
    write("")
    (tmp_path / "x.toml").write_bytes(data)
    with pytest.raises(ConfigError) as error:
        load("x.toml")
    assert lines(error)[0].startswith(message)


def test_load_accepts_byte_order_mark_and_windows_line_ends(write, tmp_path):
    write("")
    (tmp_path / "x.toml").write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert load("x.toml") == load(write(GOOD))
