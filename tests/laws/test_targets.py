"""A target is labels of shape (*places) or has y's shape, for every loss, metric and run; the rest is refused."""

from typing import Any

import jax
import numpy as np
import optax
import pytest
from jax import numpy as jnp

import jaxnn
from jaxnn import Weighted, accuracy, class_weighted
from jaxnn.errors import UserError
from jaxnn.losses import OUTPUT_LOSSES, RESIDUALS
from jaxnn.train import SECOND_ORDER
from jaxnn.train.task import default_metrics

pytestmark = pytest.mark.usefixtures("without_annotation_checks")

RNG = np.random.default_rng(0)


def floats(*shape):
    return RNG.uniform(size=shape)


def ints(*shape):
    return RNG.integers(2, size=shape)


#: Shapes of y with targets that fit, and targets that do not.
FITTING = [
    ((10, 10), np.arange(10)),
    ((10, 10), np.arange(10, dtype=np.uint8)),
    ((10, 10), np.eye(10)),
    ((10, 10), np.eye(10, dtype=int)),
    ((10, 10), np.eye(10, dtype=bool)),
    ((7, 1), ints(7)),
    ((7, 1), ints(7, 1)),
    ((7, 1), floats(7, 1)),
    ((7, 3, 5), ints(7, 3)),
    ((7, 3, 5), floats(7, 3, 5)),
]
MISFITS = [
    ((10, 10), np.zeros((10, 1), int)),
    ((10, 10), np.zeros((1, 10))),
    ((10, 10), np.zeros((1, 10), int)),
    ((10, 10), np.zeros((10, 9))),
    ((10, 10), np.zeros((10, 10, 1))),
    ((10, 10), np.zeros(9, int)),
    ((10, 10), np.zeros(10)),
    ((10, 10), np.zeros(10, bool)),
    ((10, 10), np.zeros(1, int)),
    ((10, 10), np.zeros((), int)),
    ((10, 10), np.asarray(["a"] * 10)),
    ((10, 10), np.zeros((10, 10), complex)),
    ((10, 10), list(range(10))),
    ((10, 10), "labels"),
    ((10, 10), None),
    ((10, 10), 3),
    ((10, 10), np.full(10, 10)),
    ((10, 10), np.full(10, -1)),
    ((7, 1), floats(7)),
    ((7, 1), np.zeros(7, bool)),
    ((7, 1), np.full(7, 2)),
    ((1, 7), ints(7)),
    ((7, 3, 5), ints(7)),
    ((7, 3, 5), ints(3, 5)),
    ((7, 3, 5), ints(7, 5)),
    ((7, 3, 5), floats(7, 3)),
    ((7, 3, 5), floats(3, 5)),
]


def measures(output):
    """Every function of (y, target) in the library, by name."""
    weights = [2.0] * max(output[-1], 2)
    for name, make in OUTPUT_LOSSES.items():
        if name == "softmax_cross_entropy" and output[-1] == 1:  # it needs two outputs
            continue
        yield name, make()
        yield f"{name}, sums", make("sum").sums
        yield f"{name}, class weights", class_weighted(make(), weights)
        yield f"{name}, weighted", lambda y, t, make=make: make()(y, Weighted(t, np.ones(len(y))))
    yield from RESIDUALS.items()
    yield "accuracy", accuracy
    yield "accuracy, weighted", lambda y, t: accuracy(y, Weighted(t, np.ones(len(y))))


@pytest.mark.parametrize(("output", "target"), MISFITS, ids=lambda a: str(getattr(a, "shape", a)))
def test_target_that_does_not_fit_is_refused_everywhere(output, target):
    y = jnp.asarray(floats(*output))
    for name, measure in measures(output):
        with pytest.raises(UserError, match=r"expected .* found") as error:
            measure(y, target)
        assert "\n" not in str(error.value), name
    shape, dtype = np.shape(target), getattr(target, "dtype", None)
    is_label = dtype is not None and dtype.kind in "iu" and shape == output[:-1]
    if dtype is not None and dtype.kind in "iufb" and not is_label:  # a traced label has no value that could be checked
        for _, measure in measures(output):
            with pytest.raises(UserError, match=r"expected .* found"):
                jax.eval_shape(lambda y, t, measure=measure: measure(y, t), y, jnp.asarray(target))


@pytest.mark.parametrize(("output", "target"), FITTING, ids=lambda a: str(getattr(a, "shape", a)))
def test_target_that_fits_gives_a_loss_for_each_place(output, target):
    y = jnp.asarray(floats(*output))
    dense = target if target.shape == output else (np.eye(output[-1])[target] if output[-1] > 1 else target[..., None])
    for name, measure in measures(output):
        result, expected = measure(y, target), measure(y, jnp.asarray(dense, y.dtype))
        for a, b in zip(jax.tree.leaves(result), jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, err_msg=name)


def test_accuracy_of_one_hot_integers_rolled_by_a_row_is_0():
    """As many rows as classes: a broadcast once compared each row with all labels and said 1."""
    y, target = 5 * jnp.eye(10), np.roll(np.eye(10, dtype=int), 1, axis=0)
    for metric in (accuracy, default_metrics("")["accuracy"]):
        wrong, right = metric(y, target), metric(y, np.eye(10, dtype=int))
        assert wrong is not None and right is not None
        assert float(wrong.value()) == 0 and float(right.value()) == 1


@pytest.mark.parametrize("name", OUTPUT_LOSSES)
@pytest.mark.parametrize(("outputs", "label"), [(3, 3), (3, -1), (1, 2)])
def test_traced_label_that_is_no_class_makes_the_loss_nan(name, outputs, label):
    """Inside a compiled run a label cannot be refused; it must not count as a row of zeros."""
    outputs = max(outputs, 1 + (name == "softmax_cross_entropy"))
    value, dy = jax.jit(lambda y, t: OUTPUT_LOSSES[name]()(y, t))(jnp.zeros((2, outputs)), jnp.asarray([0, label]))
    assert np.isnan(value) and np.isnan(dy[1]).all() and np.isfinite(dy[0]).all()


@pytest.mark.parametrize("name", OUTPUT_LOSSES)
def test_label_of_weight_0_may_be_any_number(name):
    """-1 marks a place without a label."""
    y, weight = jnp.asarray(floats(4, 3)), np.asarray([1.0, 0.0, 1.0, 1.0])
    for loss in (OUTPUT_LOSSES[name](), class_weighted(OUTPUT_LOSSES[name](), (1.0, 2.0, 3.0))):
        for f in (loss, jax.jit(lambda y, t, loss=loss: loss(y, t))):
            value, dy = f(y, Weighted(np.asarray([0, -1, 2, 1]), weight))
            expected, dy_expected = f(y, Weighted(np.asarray([0, 1, 2, 1]), weight))
            assert value == expected and (dy == dy_expected).all()


@pytest.mark.parametrize("weights", [(1.0,), (1.0, 2.0), (1.0, 2.0, 3.0, 4.0)])
def test_class_weights_need_a_number_for_each_class(weights):
    with pytest.raises(UserError, match=f"expected class_weights for 3 classes, found {len(weights)}"):
        class_weighted(OUTPUT_LOSSES["softmax_cross_entropy"](), weights)(jnp.zeros((4, 3)), np.zeros(4, int))


def test_softmax_of_one_output_is_refused():
    """It is 1 whatever the net says, so its loss is 0."""
    for measure in (OUTPUT_LOSSES["softmax_cross_entropy"](), OUTPUT_LOSSES["softmax_cross_entropy"]().sums):
        with pytest.raises(UserError, match="expected at least 2 outputs, found y of shape"):
            measure(jnp.zeros((7, 1)), ints(7))


def test_class_weights_of_one_output_weigh_a_column_of_integers():
    """A column of labels once gave a weight to every pair of examples."""
    loss, y, labels = (
        class_weighted(OUTPUT_LOSSES["sigmoid_cross_entropy"](), (0.5, 3.0)),
        jnp.asarray(floats(7, 1)),
        ints(7),
    )
    for a, b in zip(loss(y, labels[:, None]), loss(y, labels), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_weight_of_another_shape_is_refused():
    weights: list[Any] = [np.ones(6), np.ones((7, 1)), np.ones((7, 5)), 2.0, np.ones((1,))]
    for weight in weights:
        for measure in (*(make() for make in OUTPUT_LOSSES.values()), accuracy):
            with pytest.raises(UserError, match="expected a weight for each of"):
                measure(jnp.zeros((7, 5)), Weighted(np.zeros(7, int), weight))


def model_and_data(output):
    return jaxnn.serial(jaxnn.dense(output[-1])), np.ones((*output[:-1], 4), np.float32)


def experiment(update, train, validation, test):
    source = jaxnn.in_memory(*train, batch_size=1 if len(train[0]) == 1 else 2)
    return jaxnn.Experiment(update, source, jaxnn.Plan(1), validation, test)


RUN_MISFITS = [(output, target) for output, target in MISFITS if np.ndim(target) and len(target) == output[0]]


@pytest.mark.parametrize(("output", "target"), RUN_MISFITS, ids=lambda a: str(getattr(a, "shape", a)))
def test_run_refuses_targets_that_do_not_fit(output, target):
    """In training, validation and test, before anything is compiled."""
    model, x = model_and_data(output)
    good = (x, np.eye(output[-1], dtype=np.float32)[np.zeros(output[:-1], int)])  # every loss takes them
    for loss in OUTPUT_LOSSES.values():
        update = jaxnn.supervised(model, loss(), optax.sgd(0.1))
        for train, validation, test in (
            ((x, target), None, None), (good, (x, target), None), (good, None, (x, target)),
        ):  # fmt: skip
            with pytest.raises(UserError, match=r"expected .* found"):
                experiment(update, train, validation, test).check()


def promoted():
    """JAX's default, which optimistix relies on."""
    return jax.numpy_dtype_promotion("standard")


def test_second_order_run_refuses_targets_that_do_not_fit():
    model, x = jaxnn.serial(jaxnn.dense(3)), np.ones((7, 4))
    for name, make in SECOND_ORDER.items():
        update = jaxnn.supervised(model, OUTPUT_LOSSES["quadratic"](), make())
        for target in (np.zeros((7, 1)), np.zeros(7), np.full(7, 3)):
            with pytest.raises(UserError, match=r"expected .* found"), promoted():
                jaxnn.make_run(update, jaxnn.in_memory(x, target), jaxnn.Plan(1))
        if name == "levenberg_marquardt":
            weighted = Weighted(np.zeros(7, np.int32), np.ones(7))
            with pytest.raises(UserError, match="expected targets without weights"), promoted():
                jaxnn.make_run(update, jaxnn.in_memory(x, weighted), jaxnn.Plan(1))


@pytest.mark.parametrize(
    ("x", "target"),
    [
        ([[1.0, 2.0]] * 3, np.zeros(3, int)),
        (np.ones((3, 2)), [0, 1, 2]),
        (np.ones((3, 2)), ["a", "b", "c"]),
        (np.ones((3, 2)), np.asarray(["a", "b", "c"])),
        ("text", np.zeros(3, int)),
        (np.ones((3, 2)), None),
    ],
)
def test_source_refuses_what_is_no_array_of_numbers(x, target):
    with pytest.raises(UserError, match=r"expected arrays .*found"):
        jaxnn.in_memory(x, target)
