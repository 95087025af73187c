"""Layers that begin with learned parameters, and sub-nets that are trained alone, frozen and joined."""

from typing import Any

import jax
import numpy as np
import pytest

import jaxnn
from jaxnn.config import load
from jaxnn.config.experiment import make_experiment
from jaxnn.course.modular_study import frozen_modules
from jaxnn.errors import UserError
from jaxnn.pretrained import pretrained
from jaxnn.train import Group, Plan, in_memory, make_run, optimizer, supervised


def test_pretrained_layer_begins_with_its_parameters_and_is_kept_where_it_is_frozen():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 4)), np.arange(40, dtype=np.int32) % 2
    body = jaxnn.dense(3)
    learned: Any = body.init(jax.random.key(7), x)
    model = jaxnn.serial(body=pretrained(body, learned), bend=jaxnn.tanh(), head=jaxnn.dense(2))
    for groups, same in (((Group("body/*", frozen=True),), True), ((), False)):
        update = supervised(model, jaxnn.softmax_cross_entropy(), optimizer("adam", 0.1, groups=groups))
        run = jax.jit(make_run(update, in_memory(x, y), Plan(3, best="last")))
        params: Any = run(jax.random.key(0))[0].last
        assert np.array_equal(params["body"].weight, learned.weight) == same
        assert not np.array_equal(params["head"].weight, model.init(jax.random.key(0), x)["head"].weight)


def test_pretrained_refuses_parameters_of_another_net():
    learned = jaxnn.dense(3).init(jax.random.key(0), np.ones((2, 4)))
    with pytest.raises(UserError, match=r"pretrained: expected params weight \(5, 3\).*found weight \(4, 3\)"):
        pretrained(jaxnn.dense(3), learned).init(jax.random.key(0), np.ones((2, 5)))


def test_frozen_sub_nets_are_joined_by_a_net_that_is_better_than_each():
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"), jax.enable_x64(False):
        config = load("digits_modular", ["train.epochs=10", "train.eval_every=5"])
        found = frozen_modules(make_experiment(config, seeds=(0, 1)))
    assert found.alone.shape == (4, 2) and found.joined.shape == (2,)
    assert (found.joined > found.alone.max(0) + 0.05).all()
