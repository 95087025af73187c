"""The targets of `jaxnn certify`: public names, nets of configs, and functions of the user's own modules."""

import contextlib
import importlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import numpy as jnp

from jaxnn.certify.case import cast_floating, layer_args
from jaxnn.certify.cases import ROWS, build_case, constructor
from jaxnn.certify.certificate import Certificate
from jaxnn.certify.certification import QUICK, certify, run_laws
from jaxnn.certify.cost import CostComparison, float32_cost
from jaxnn.certify.finding import Finding
from jaxnn.certify.fuzz import fuzz
from jaxnn.certify.laws import LAWS
from jaxnn.certify.laws.edge_cases import EDGE_CASES, measure_edge_case
from jaxnn.certify.vjp_rule import layer_rule
from jaxnn.cli.certify_costs import COST_BATCH, name_cost
from jaxnn.cli.certify_devices import EXAMPLES, devices_findings
from jaxnn.cli.certify_functions import OwnOptions, function_laws, is_function
from jaxnn.cli.certify_nets import batch_like, net_args, net_case, net_cost
from jaxnn.config import Config, build_loss, build_model, load, shipped_configs
from jaxnn.config.experiment import example_input
from jaxnn.config.loaded_data import with_data_sizes
from jaxnn.errors import UserError, describe, hint
from jaxnn.layer import Layer
from jaxnn.runs.import_file import attribute, imported, split_target, user_code

#: Every public name that has a case, in the order of the table of cases.
NAMES = tuple(dict.fromkeys(row.public_name for row in ROWS))
#: The course's nets, by config.
NETS = ("blobs_neuron", "circles_mlp", "mnist_sigmoid_mse", "mnist_tanh_softmax", "mnist_cnn", "cosine_denoise")
#: The number of random cases for law 4.
FUZZ_CASES, QUICK_FUZZ_CASES = 24, 8
#: The batch size of the laws of a net.
NET_BATCH = 3


class Job(NamedTuple):
    """A target to certify: `laws(quick)` may run beside other jobs, `cost()` is timed and must run alone."""

    name: str
    laws: Callable[[bool], Certificate]
    cost: Callable[[], CostComparison | None]


def jobs(targets: Sequence[str], options: OwnOptions | None = None, devices: int | None = None) -> list[Job]:
    """A job for each target; without targets, the whole library: every public name, the course's nets, and law 4.

    devices: how many train the net of a config together, besides 1, 2, 4, …; None: this law is left out
    Raises `UserError` for an unknown target, and for options of a user's own layer or function without one.
    """
    options = options or OwnOptions()
    if (options.shapes or options.arguments or options.reference) and not any(map(is_own, targets)):
        raise UserError(
            "certify: expected FILE.py:NAME with --shape, --arg and --reference, found "
            f"{', '.join(targets) or 'no target'}; a library's name has shapes of its own"
        )
    if devices is not None and any(target in NAMES or is_own(target) for target in targets):
        raise UserError("certify: expected configs with --devices, whose nets devices train together, found others")
    if not targets:
        return [*map(_name_job, NAMES), *(_config_job(name, devices) for name in NETS), _fuzz_job()]
    return [_job(target, options, devices) for target in targets]


def is_own(target: str) -> bool:
    """Whether a target is a user's own layer or function: FILE.py:NAME or MODULE:NAME."""
    return target not in NAMES and (":" in target or split_target(target) is not None)


def _job(target: str, options: OwnOptions, devices: int | None) -> Job:
    if target in NAMES:
        return _name_job(target)
    if is_own(target):
        with own_subject(target) as subject:
            return _subject_job(target, subject, options)
    configs = shipped_configs()
    if target in configs or target.endswith(".toml"):
        return _config_job(target, devices)
    raise UserError(
        f"certify: expected one of {', '.join(NAMES)}, a config, FILE.py:NAME or MODULE:NAME, found {target!r}"
        + hint(target, [*NAMES, *configs], repr)
    )


def _name_job(name: str) -> Job:
    rows = [row for row in ROWS if row.public_name == name]

    def laws(quick: bool) -> Certificate:
        law_names = QUICK if quick else tuple(LAWS)
        measured_rows = rows[:1] if quick else rows
        cases = [build_case(row) for row in measured_rows]
        certificate = run_laws(cases, name, laws=law_names, full=[row.full for row in measured_rows])
        edge_findings = [
            Finding(5, "edge cases", edge_case.name, measure_edge_case(edge_case, constructor(name)))
            for edge_case in EDGE_CASES
            if edge_case.public_name == name
        ]
        return certificate._replace(findings=(*certificate.findings, *edge_findings))

    return Job(name, laws, lambda: name_cost(name))


def _config_job(name: str, devices: int | None) -> Job:
    config: Config = with_data_sizes(load(name))
    model, loss, example = build_model(config), build_loss(config), example_input(config)

    def laws(quick: bool) -> Certificate:
        case = net_case(name, model, loss, batch_like(example, NET_BATCH))
        certificate = run_laws([case], name, laws=QUICK if quick else tuple(LAWS))
        if devices is None:
            return certificate
        _, x, target = cast_floating(net_args(model, batch_like(example, EXAMPLES)), np.float64)
        found = devices_findings(name, config, jax.tree.map(np.asarray, (x, target)), devices)
        return certificate._replace(findings=(*certificate.findings, *found))

    return Job(name, laws, lambda: net_cost(model, loss, batch_like(example, COST_BATCH)))


def _fuzz_job() -> Job:
    def laws(quick: bool) -> Certificate:
        measurement, choices = fuzz(QUICK_FUZZ_CASES if quick else FUZZ_CASES)
        description = ", ".join(f"{name} {value}" for name, value in choices.items())
        return Certificate("fuzz", (Finding(4, "autodiff", f"fuzz ({description})", measurement),))

    return Job("fuzz", laws, lambda: None)


@contextlib.contextmanager
def own_subject(target: str) -> Iterator[Any]:
    """What stands at `FILE.py:name` or `module:name`; the file can be imported while the block runs."""
    parts = split_target(target)
    module_name, _, name = target.rpartition(":")
    if parts is not None:
        path, name = parts
        with imported(path) as module:
            yield _attribute(module, name, path)
        return
    with user_code(module_name), _working_directory_on_path():
        yield _attribute(importlib.import_module(module_name), name, module_name)


def _attribute(module: ModuleType, name: str, where: object) -> Any:
    public = [key for key, value in vars(module).items() if key[0] != "_" and not isinstance(value, ModuleType)]
    return attribute(module, name, where, "a layer or a function", public)


@contextlib.contextmanager
def _working_directory_on_path() -> Iterator[None]:
    """Modules of the working directory can be imported while the block runs."""
    folder = os.getcwd()
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


def _subject_job(target: str, subject: Any, options: OwnOptions) -> Job:
    """The job of a user's layer at a batch, or of a function at its arguments."""
    if is_function(subject, options.arguments):
        reference = None
        if options.reference is not None:
            with own_subject(options.reference) as reference:
                if not callable(reference):
                    raise UserError(
                        f"--reference {options.reference}: expected a function, found {describe(reference)}"
                    )
        return Job(target, _of_user(target, function_laws(target, subject, options, reference)), lambda: None)
    if options.reference is not None:
        raise UserError(f"{target}: expected a function with --reference, found {describe(subject)}; omit --reference")
    shapes = options.shapes
    layer = subject() if callable(subject) and not isinstance(subject, Layer) else subject
    if isinstance(layer, Certificate):
        return Job(target, lambda quick: layer, lambda: None)
    if not isinstance(layer, Layer):
        raise UserError(
            f"{target}: expected a Layer, a function that returns one (or a Certificate), or a function of arrays with "
            f"--shape or --arg, found {type(layer).__name__}"
        )
    if len(shapes) != 1:
        raise UserError(f"{target}: expected --shape with the shape of a batch, found {len(shapes)} shapes")
    x = jax.ShapeDtypeStruct(shapes[0], jnp.float32)
    return Job(
        target,
        _of_user(target, lambda quick: certify(layer, x, quick=quick, mutants=options.mutants, timed=False)),
        lambda: float32_cost(layer_rule(layer), layer_args(layer, x)),
    )


def _of_user(target: str, laws: Callable[[bool], Certificate]) -> Callable[[bool], Certificate]:
    """`laws`, with an exception of the user's code as a `UserError`."""

    def laws_of_user(quick: bool) -> Certificate:
        with user_code(target):
            return laws(quick)

    return laws_of_user
