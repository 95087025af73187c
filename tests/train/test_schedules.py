"""Every schedule of optax can be built by its name, in Python and from TOML, and has optax's values."""

import inspect

import numpy as np
import optax
import pytest

from jaxnn.config import load
from jaxnn.config.build import build_optimizer
from jaxnn.config.dump import dump
from jaxnn.config.errors import ConfigError
from jaxnn.errors import UserError
from jaxnn.train.optimizers import schedule, schedule_names

#: name -> TOML options
OPTIONS = {
    "constant_schedule": "value = 0.3",
    "cosine_decay_schedule": "init_value = 0.3, decay_steps = 7, alpha = 0.1, exponent = 1.5",
    "cosine_onecycle_schedule": "transition_steps = 11, peak_value = 0.5, pct_start = 0.4, div_factor = 5.0",
    "exponential_decay": "init_value = 0.3, transition_steps = 3, decay_rate = 0.5, staircase = true, end_value = 0.01",
    "linear_onecycle_schedule": "transition_steps = 11, peak_value = 0.5, pct_start = 0.2, pct_final = 0.9",
    "linear_schedule": "init_value = 0.3, end_value = 0.1, transition_steps = 7, transition_begin = 2",
    "piecewise_constant_schedule": "init_value = 0.3, boundaries_and_scales = {3 = 0.5, 7 = 0.1}",
    "piecewise_interpolate_schedule": (
        "interpolate_type = 'cosine', init_value = 0.3, boundaries_and_scales = {3 = 0.5, 7 = 0.1}"
    ),
    "polynomial_schedule": "init_value = 0.3, end_value = 0.1, power = 2, transition_steps = 7",
    "sgdr_schedule": (
        "cosine_kwargs = [{init_value = 0.1, peak_value = 0.5, warmup_steps = 2, decay_steps = 5}, "
        "{init_value = 0.2, peak_value = 0.3, warmup_steps = 1, decay_steps = 4, end_value = 0.05}]"
    ),
    "warmup_constant_schedule": "init_value = 0.1, peak_value = 0.5, warmup_steps = 4",
    "warmup_cosine_decay_schedule": "init_value = 0.1, peak_value = 0.5, warmup_steps = 4, decay_steps = 9",
    "warmup_exponential_decay_schedule": (
        "init_value = 0.1, peak_value = 0.5, warmup_steps = 4, transition_steps = 3, decay_rate = 0.5"
    ),
}


def _config(name, options, folder):
    constant = "optimizer.schedule={name='constant_schedule',value=1}"
    base = dump(load("digits_mlp", ["optimizer.learning_rate=", constant]))
    start = base.index("[optimizer.schedule]")
    end = base.index("[", start + 1)
    text = base[:start] + base[end:]
    text = text.replace("[optimizer]\n", f"[optimizer]\nschedule = {{name = '{name}'{options and ', '}{options}}}\n")
    path = folder / "mine.toml"
    path.write_text(text)
    return path


def test_every_schedule_of_optax_is_listed():
    """All functions of `optax.schedules` that return a schedule, but the one whose arguments are schedules."""
    public = {name for name, f in vars(optax.schedules).items() if inspect.isfunction(f)}
    schedules = {name for name in public if name.endswith(("_schedule", "_decay"))}
    assert set(schedule_names()) == set(OPTIONS) == schedules


@pytest.mark.parametrize("name", OPTIONS)
def test_schedule_from_toml_has_the_values_of_optax(name, tmp_path):
    config = load(_config(name, OPTIONS[name], tmp_path))
    table = config.optimizer.schedule
    assert table is not None
    ours, optax_own = table.build(), getattr(optax, name)(**table.options)
    for step in (0, 1, 2, 3, 5, 8, 13, 100):
        np.testing.assert_allclose(ours(step), optax_own(step), rtol=1e-6)
    assert build_optimizer(config)
    again = tmp_path / "again.toml"
    again.write_text(dump(config))
    assert load(again) == config


def test_exponential_decay_halves_every_three_steps():
    rate = schedule("exponential_decay", init_value=0.4, transition_steps=3, decay_rate=0.5)
    np.testing.assert_allclose(np.asarray([rate(0), rate(3), rate(9)]), [0.4, 0.2, 0.05], rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("scale_by_schedule", "", "unknown name"),
        ("join_schedules", "", "unknown name"),
        ("exponential", "", "did you mean exponential_decay"),
        (
            "exponential_decay",
            "init_value = 0.3, decay_rate = 0.5",
            "transition_steps: expected an integer, found none",
        ),
        ("sgdr_schedule", "cosine_kwargs = [{init_value = 0.1}]", "sgdr_schedule"),
        ("sgdr_schedule", "cosine_kwargs = 3", "expected a list of tables of numbers, found 3"),
        ("piecewise_interpolate_schedule", "interpolate_type = 'x', init_value = 1.0", "interpolate_type"),
    ],
)
def test_impossible_schedule_is_refused_with_its_line(name, options, message, tmp_path):
    with pytest.raises(ConfigError, match=message) as error:
        load(_config(name, options, tmp_path))
    assert all("mine.toml:" in line for line in str(error.value).splitlines())


def test_schedule_without_an_entry_is_refused():
    with pytest.raises(UserError, match="sgdr_schedule"):
        schedule("sgdr_schedule", cosine_kwargs=({"init_value": 0.1},))
