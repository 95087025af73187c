"""Law 9 for every layer, loss and net, and what the command can be asked about."""

import sys

import pytest

from jaxnn.cli.certify_targets import NAMES, NETS, jobs
from jaxnn.errors import UserError


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("cnn", "optimizer")])
def test_by_hand_keeps_no_more_than_autodiff(name):
    account = jobs([name])[0].account()
    if account is None:
        pytest.skip("it only joins others together")
    assert account.hand.residual_bytes <= account.auto.residual_bytes
    assert account.hand.temporary_bytes <= account.auto.temporary_bytes


@pytest.mark.parametrize("name", ["mnist_sigmoid_mse", "mnist_tanh_softmax"])
def test_a_step_of_the_courses_nets_needs_no_more_than_autodiff(name):
    account = jobs([name])[0].account()
    assert account is not None
    assert account.hand.residual_bytes <= account.auto.residual_bytes
    assert account.hand.temporary_bytes <= account.auto.temporary_bytes


def test_the_convolutional_net_keeps_less_than_half_of_what_autodiff_does():
    account = jobs(["mnist_cnn"])[0].account()
    assert account is not None
    assert account.hand.residual_bytes < account.auto.residual_bytes / 2


def test_the_whole_library_is_every_name_the_courses_nets_and_law_4():
    assert [job.name for job in jobs([])] == [*NAMES, *NETS, "fuzz"]


@pytest.mark.parametrize("name", NETS)
def test_a_net_of_the_course_is_certified(name):
    certificate = jobs([name])[0].laws(True)
    assert certificate.holds, certificate.faults


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
    (tmp_path / "layers_of_mine.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return "layers_of_mine"


def test_ones_own_functions_are_certified(module):
    assert jobs([f"{module}:right"], [(3, 7)])[0].laws(True).holds
    assert jobs([f"{module}:square"], [(7,)])[0].laws(True).holds
    wrong = jobs([f"{module}:wrong"], [(3, 7)])[0].laws(True)
    assert not wrong.holds and {entry.finding.leaf for entry in wrong.broken} == {"x"}


@pytest.mark.parametrize(
    ("target", "shapes", "words"),
    [
        ("dence", [], "did you mean 'dense'"),
        ("nowhere:f", [], "cannot import 'nowhere'"),
        ("layers_of_mine:write", [], "has no 'write'"),
        ("layers_of_mine:right", [], "expected --shape with the shape of a batch"),
        ("layers_of_mine:square", [], "expected --shape with the shape of each argument"),
        ("layers_of_mine:number", [], "expected a Layer"),
    ],
)
def test_what_is_not_known_is_refused(module, target, shapes, words):
    with pytest.raises(UserError, match=words):
        jobs([target], shapes)
