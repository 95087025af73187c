"""`jaxnn certify [LAYER…|CONFIG|FILE.py:NAME|MODULE:NAME]`."""

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from jaxnn.cli import device
from jaxnn.cli.library_arguments import Certify
from jaxnn.cli.progress import announce, report
from jaxnn.cli.tables import print_table, write_json
from jaxnn.cli.terminal import print_message, print_text
from jaxnn.errors import UserError
from jaxnn.storage.files import atomic_write
from jaxnn.train.sharing import ORDERED_PARTS

#: Compiling one certificate takes one core.
WORKERS = 2
#: What the whole library takes on two cores.
TIME, QUICK_TIME, MUTANTS_TIME = "about 10 minutes", "about 2 minutes", "about 1 minute"


LEGEND = """float64: largest relative difference from autodiff; differences: from finite differences
float32: error in units of autodiff's error; hand-written / autodiff: bytes kept for the backward pass, temporary bytes,
FLOPs and milliseconds of one forward and backward pass in float32, for a batch of 128"""


def run(command: Certify) -> None:
    if command.devices is not None and not 2 <= command.devices <= ORDERED_PARTS:
        raise UserError(f"--devices: expected from 2 to {ORDERED_PARTS}, found {command.devices}")
    device.select_device(command.device, devices=command.devices, in_order=command.devices is not None)
    from jaxnn.cli.certify_targets import is_own

    own = [is_own(target) for target in command.targets]
    if command.mutants and any(own) and not all(own):
        raise UserError("certify --mutants: expected the library's names or your own targets, found both; ask for each")
    if command.mutants and not any(own):
        if command.junit is not None:
            raise UserError("--junit: expected certificates, found --mutants; give --json FILE, or omit --mutants")
        _run_mutants(command)
        return
    import jax

    from jaxnn.certify.certificate import Certificate
    from jaxnn.cli.certify_functions import OwnOptions, parse_shape
    from jaxnn.cli.certify_targets import Job, jobs

    shapes = [parse_shape(text) for texts in command.shape for text in texts]
    arguments = [text for texts in command.argument for text in texts]
    options = OwnOptions(shapes, arguments, command.reference, command.mutants)
    requested = jobs(command.targets, options, command.devices)

    def measure_laws(job: Job) -> Certificate:
        with jax.enable_x64(True):
            try:
                return job.laws(command.quick)
            except UserError as error:  # the other targets are still certified
                return Certificate(job.name, (), refused=f"{job.name}: {error}")

    if not command.targets:
        announce(f"certifying {len(requested)} targets takes {QUICK_TIME if command.quick else TIME}")
    certificates = map_with_progress("laws", measure_laws, requested)
    if not command.quick:  # timed, so one at a time
        for i, job in enumerate(requested):
            report(f"costs of {job.name}, {i + 1} of {len(requested)}", i / len(requested))
            if certificates[i].cost is None and certificates[i].entries and certificates[i].structure_holds:
                with jax.enable_x64(True):
                    certificates[i] = certificates[i]._replace(cost=job.cost())
    title = "The certificate: hand-written gradients"
    print_table(title, [_table_row(each, with_devices=command.devices is not None) for each in certificates])
    print_text(LEGEND)
    for certificate in certificates:
        if certificate.mutants:
            _print_planted(certificate)
    if command.json is not None:
        rows = [_json_row(certificate) for certificate in certificates]
        write_json(command.json, {"title": title, "rows": rows, "holds": all(c.holds for c in certificates)})
    if command.junit is not None:
        from jaxnn.certify.junit import junit_xml

        atomic_write(command.junit, junit_xml(certificates))
    for certificate in certificates:
        for line in certificate.remarks:
            print_text(line)
    for certificate in certificates:
        for line in certificate.failures:
            print_message(line)
    if not all(certificate.holds for certificate in certificates):
        sys.exit(1 if any(not c.holds and not c.refused for c in certificates) else 2)


def map_with_progress(what: str, measure: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    """The results of `measure`, two items at a time; says which one is at work. Every item has a name."""
    results = []
    with ThreadPoolExecutor(WORKERS) as pool:
        for item, future in [(item, pool.submit(measure, item)) for item in items]:
            report(f"{what} of {item.name}, {len(results) + 1} of {len(items)}", len(results) / len(items))
            results.append(future.result())
    return results


def _table_row(certificate: Any, *, with_devices: bool) -> dict[str, str]:
    """A row of the table; costs are hand-written / autodiff. with_devices: what devices learn that share each batch"""
    autodiff, differences, float32 = (certificate.worst(law) for law in ("autodiff", "finite differences", "float32"))

    def pair(field: str) -> str:
        if certificate.cost is None:
            return ""
        form = (lambda s: f"{1e3 * s:.3f}") if field == "seconds" else _short
        return "/".join(form(getattr(cost, field)) for cost in certificate.cost)

    shared, ordered = (certificate.worst(law) for law in ("devices", "devices in order"))
    devices = {"devices": "" if shared is None else f"{_measured(shared)}; in order {_measured(ordered)}"}
    return {
        "": certificate.name,
        "float64": _measured(autodiff),
        "differences": _measured(differences),
        "float32": "" if float32 is None else f"{_in_autodiff_errors(float32):.2f}",
        "kept": pair("residual_bytes"),
        "temporary": pair("temporary_bytes"),
        "FLOPs": pair("flops"),
        "ms": pair("seconds"),
        **(devices if with_devices else {}),
        "verdict": "holds" if certificate.holds else "refused" if certificate.refused else "BROKEN",
    }


def _short(n: float) -> str:
    """1234567 as "1.23M"."""
    for unit in ("", "k", "M"):
        if n < 1000:
            return f"{n:.3g}{unit}"
        n /= 1000
    return f"{n:.3g}G"


def _measured(measurement: Any) -> str:
    return "" if measurement is None else f"{measurement.measured:.1e}"


def _in_autodiff_errors(measurement: Any) -> float:
    """A float32 error in units of autodiff's error. The bound is twice autodiff's error plus 4 eps."""
    import numpy as np

    eps = float(np.finfo(np.float32).eps)
    return measurement.measured / max((measurement.bound - 4 * eps) / 2, eps)


def _json_row(certificate: Any) -> dict[str, Any]:
    cost = certificate.cost
    return {
        "name": certificate.name,
        "holds": certificate.holds,
        "laws": [
            {
                "number": entry.number,
                "law": entry.law,
                "case": entry.case,
                "measured": entry.measurement.measured,
                "bound": entry.measurement.bound,
            }
            for entry in certificate.entries
        ],
        "not measured": [
            {"number": f.number, "law": f.law, "case": f.case, "reason": f.reason} for f in certificate.unmeasured
        ],
        "cost": None if cost is None else {side: getattr(cost, side)._asdict() for side in cost._fields},
        "mutants": _planted_rows(certificate),
        "failures": certificate.failures,
        "remarks": certificate.remarks,
    }


def _print_planted(certificate: Any) -> None:
    """Prints the mistakes planted in a user's rule, and the law that detects each."""
    rows = _planted_rows(certificate)
    killed = sum(bool(mutant.law) for mutant in certificate.mutants)
    print_table(f"{certificate.name}: {len(rows)} mutants, {killed} killed", rows)


def _planted_rows(certificate: Any) -> list[dict[str, str]]:
    from jaxnn.certify.mutation import SURVIVED

    return [{"mutant": mutant.name, "killed by": mutant.law or SURVIVED} for mutant in certificate.mutants]


def _run_mutants(command: Certify) -> None:
    """Prints every mutant and the law that kills it; exit code 1 if one survives."""
    import jax

    from jaxnn.certify.library_mutants import MUTANTS, Mutant
    from jaxnn.certify.mutation import MutantResult, run_mutant

    names = {mutant.public_name for mutant in MUTANTS}
    for target in command.targets:
        if target not in names:
            raise UserError(f"certify --mutants: expected names among {', '.join(sorted(names))}, found {target!r}")
    requested: Sequence[Mutant] = [m for m in MUTANTS if not command.targets or m.public_name in command.targets]

    def run_in_float64(mutant: Mutant) -> MutantResult:
        with jax.enable_x64(True):
            return run_mutant(mutant)

    if not command.targets:
        announce(f"planting {len(requested)} mistakes takes {MUTANTS_TIME}")
    results = map_with_progress("mistakes", run_in_float64, requested)
    survivors = [result for result in results if result.survives]
    title = f"{len(results)} mutants, {len(results) - len(survivors)} killed"
    rows = [{"mutant": r.name, "killed by": r.law, "measurement": r.measurement} for r in results]
    print_table(title, rows)
    if command.json is not None:
        named = [{**row, "name": result.public_name} for row, result in zip(rows, results, strict=True)]
        write_json(command.json, {"title": title, "rows": named})
    if survivors:
        for result in survivors:
            print_message(f"the mutant survives: {result.name}")
        sys.exit(1)
