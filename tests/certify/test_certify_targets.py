"""The targets of `jaxnn certify`, and law 9 (cost) for every layer, loss and net."""

import sys

import jax
import pytest

from jaxnn.cli.certify_functions import OwnOptions
from jaxnn.cli.certify_targets import NAMES, NETS, jobs
from jaxnn.errors import UserError


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("cnn", "optimizer")])
def test_cost_keeps_no_more_than_autodiff(name):
    cost = jobs([name])[0].cost()
    if cost is None:
        pytest.skip("a combinator has no cost of its own")
    assert cost.hand_written.residual_bytes <= cost.autodiff.residual_bytes
    assert cost.hand_written.temporary_bytes <= cost.autodiff.temporary_bytes


@pytest.mark.parametrize("name", ["mnist_sigmoid_mse", "mnist_tanh_softmax"])
def test_cost_of_course_net_is_no_more_than_autodiff(name):
    cost = jobs([name])[0].cost()
    assert cost is not None
    assert cost.hand_written.residual_bytes <= cost.autodiff.residual_bytes
    assert cost.hand_written.temporary_bytes <= cost.autodiff.temporary_bytes


def test_cost_of_mnist_cnn_keeps_less_than_half_of_autodiff():
    cost = jobs(["mnist_cnn"])[0].cost()
    assert cost is not None
    assert cost.hand_written.residual_bytes < cost.autodiff.residual_bytes / 2


def test_jobs_default_to_whole_library():
    assert [job.name for job in jobs([])] == [*NAMES, *NETS, "fuzz"]


@pytest.mark.parametrize("name", NETS)
def test_course_net_is_certified(name):
    certificate = jobs([name])[0].laws(True)
    assert certificate.holds, certificate.failures


SEQUENCE_CONFIG = """
title = "sequences"
data = {{ name = "{data}", file = "{file}"{options} }}
net = [
    {{ layer = "embedding", rows = "tokens", units = 3 }},
    {{ layer = "recur", cell = {{ name = "gru", units = 5 }}{last} }},
    {{ layer = "dense", units = "classes" }},
]
loss = {{ name = "softmax_cross_entropy" }}
optimizer = {{ name = "adam", learning_rate = 0.01 }}
train = {{ epochs = 1, best = "train.loss" }}
"""


@pytest.mark.parametrize(
    ("data", "options", "last"),
    [
        ("text", ", window = 4", ""),
        ("lines", "", ""),
        ("labelled_lines", "", ", last = true"),
    ],
)
def test_net_with_the_sizes_of_its_data_is_certified(tmp_path, data, options, last):
    file = "texts.tsv" if data == "labelled_lines" else "text.txt"
    (tmp_path / file).write_text("a good film\tyes\na bad one\tno\n")
    config = tmp_path / "config.toml"
    config.write_text(SEQUENCE_CONFIG.format(data=data, file=file, options=options, last=last))
    job = jobs([str(config)])[0]
    with jax.enable_x64(True):
        certificate = job.laws(True)
    assert certificate.holds, certificate.failures


MODULE = """
import jax
import jaxnn
right = jaxnn.dense(5)
def wrong():
    return right._replace(backward=lambda p, r, dy: (right.backward(p, r, dy)[0], 1.001 * right.backward(p, r, dy)[1]))
@jax.custom_vjp
def square(x):
    return x * x
square.defvjp(lambda x: (x * x, x), lambda x, dy: (2 * x * dy,))
number = 3
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "user_layers.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return "user_layers"


def test_jobs_certify_user_functions(module):
    assert jobs([f"{module}:right"], OwnOptions([(3, 7)]))[0].laws(True).holds
    assert jobs([f"{module}:square"], OwnOptions([(7,)]))[0].laws(True).holds
    wrong = jobs([f"{module}:wrong"], OwnOptions([(3, 7)]))[0].laws(True)
    assert not wrong.holds and wrong.wrong_leaves == {"x"}


@pytest.mark.parametrize(
    ("target", "shapes", "words"),
    [
        ("dence", [], "did you mean 'dense'"),
        ("nowhere:f", [], "No module named 'nowhere'"),
        ("user_layers:write", [], "named 'write', found right"),
        ("user_layers:right", [], "expected --shape with the shape of a batch"),
        ("user_layers:square", [], "expected --shape with the shape of each argument"),
        ("user_layers:number", [], "expected a Layer"),
    ],
)
def test_jobs_refuse_unknown_target(module, target, shapes, words):
    with pytest.raises(UserError, match=words):
        jobs([target], OwnOptions(shapes))
