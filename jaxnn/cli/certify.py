"""`jaxnn certify [LAYER…|CONFIG|module:function]`."""

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from rich.console import Console

from jaxnn.cli import device
from jaxnn.cli.arguments import Certify
from jaxnn.cli.tables import print_table, write_json
from jaxnn.errors import UserError

#: Compiling takes one core: two certificates are made side by side.
WORKERS = 2


LEGEND = """float64, differences: worst relative difference from autodiff, from finite differences
float32: error in units of autodiff's own; by hand / by autodiff: bytes kept for the backward pass, temporary bytes,
FLOPs and milliseconds of one forward and backward in float32, for a batch of 128"""


def run(command: Certify) -> None:
    device.select_device(command.device)
    shapes = [_shape(text) for text in command.shape]
    if command.mutants:
        _mutants(command)
        return
    import jax

    from jaxnn.certify.certificate import Certificate
    from jaxnn.cli.certify_targets import Job, jobs

    wanted = jobs(command.targets, shapes)

    def laws(job: Job) -> Certificate:
        with jax.enable_x64(True):
            return job.laws(command.quick)

    console = Console(stderr=True)
    found: list[Certificate] = []
    with console.status("certifying …") as status, ThreadPoolExecutor(WORKERS) as pool:
        for job, certificate in zip(wanted, pool.map(laws, wanted), strict=True):
            status.update(f"certifying … {len(found) + 1} of {len(wanted)}: {job.name}")
            found.append(certificate)
        if not command.quick:  # timed, so one at a time
            for i, job in enumerate(wanted):
                with jax.enable_x64(True):
                    found[i] = found[i]._replace(account=found[i].account or job.account())
    title = "The certificate: hand-derived gradients"
    print_table(title, [_row(certificate) for certificate in found], min_width=130)
    print(LEGEND)
    if command.json is not None:
        rows = [_facts(certificate) for certificate in found]
        write_json(command.json, {"title": title, "rows": rows, "holds": all(c.holds for c in found)})
    faults = [line for certificate in found for line in certificate.faults]
    for line in faults:
        print(f"jaxnn: {line}", file=sys.stderr)
    if faults:
        sys.exit(1)


def _shape(text: str) -> tuple[int, ...]:
    try:
        shape = tuple(int(word) for word in text.replace("×", ",").split(",") if word)
    except ValueError:
        shape = (0,)
    if any(n < 1 for n in shape):
        raise UserError(f"--shape {text}: expected positive sizes with commas between them, such as 7,13")
    return shape


def _row(certificate: Any) -> dict[str, str]:
    """A line of the table: figures by hand / by autodiff."""
    account = certificate.account
    auto, differences, float32 = (certificate.worst(law) for law in ("autodiff", "differences", "float32"))

    def pair(name: str) -> str:
        if account is None:
            return ""
        form = (lambda s: f"{1e3 * s:.3f}") if name == "seconds" else _short
        return "/".join(form(getattr(cost, name)) for cost in account)

    return {
        "": certificate.name,
        "float64": _number(auto),
        "differences": _number(differences),
        "float32": "" if float32 is None else f"{_of_autodiff(float32):.2f}",
        "kept": pair("residual_bytes"),
        "temporary": pair("temporary_bytes"),
        "FLOPs": pair("flops"),
        "ms": pair("seconds"),
        "verdict": "holds" if certificate.holds else "BROKEN",
    }


def _short(n: float) -> str:
    """1234567 as "1.2M"."""
    for unit in ("", "k", "M"):
        if n < 1000:
            return f"{n:.3g}{unit}"
        n /= 1000
    return f"{n:.3g}G"


def _number(finding: Any) -> str:
    return "" if finding is None else f"{finding.measured:.1e}"


def _of_autodiff(finding: Any) -> float:
    """The error in float32 in units of autodiff's own, of which (and 4 eps) the bound is twice."""
    import numpy as np

    eps = float(np.finfo(np.float32).eps)
    return finding.measured / max((finding.bound - 4 * eps) / 2, eps)


def _facts(certificate: Any) -> dict[str, Any]:
    account = certificate.account
    return {
        "name": certificate.name,
        "holds": certificate.holds,
        "laws": [
            {"number": e.number, "law": e.law, "case": e.case, "measured": e.finding.measured, "bound": e.finding.bound}
            for e in certificate.entries
        ],
        "account": None if account is None else {side: getattr(account, side)._asdict() for side in account._fields},
        "faults": certificate.faults,
    }


def _mutants(command: Certify) -> None:
    """Every mutant and the law that killed it; exit code 1 where one survives."""
    import jax

    from jaxnn.certify.library_mutants import MUTANTS, Mutant
    from jaxnn.certify.mutation import Killed, kill

    names = {mutant.of for mutant in MUTANTS}
    for target in command.targets:
        if target not in names:
            raise UserError(f"certify --mutants: expected names among {', '.join(sorted(names))}, found {target!r}")
    wanted: Sequence[Mutant] = [m for m in MUTANTS if not command.targets or m.of in command.targets]

    def killed(mutant: Mutant) -> Killed:
        with jax.enable_x64(True):
            return kill(mutant)

    with Console(stderr=True).status("planting mistakes …"), ThreadPoolExecutor(WORKERS) as pool:
        found = list(pool.map(killed, wanted))
    survivors = [one for one in found if one.survives]
    title = f"{len(found)} mutants, {len(found) - len(survivors)} killed"
    print_table(title, [{"mutant": k.name, "killed by": k.law, "as": k.finding} for k in found], min_width=160)
    if command.json is not None:
        rows = [{"mutant": k.name, "name": k.of, "killed by": k.law, "as": k.finding} for k in found]
        write_json(command.json, {"title": title, "rows": rows})
    if survivors:
        for one in survivors:
            print(f"jaxnn: the mutant survives: {one.name}", file=sys.stderr)
        sys.exit(1)
