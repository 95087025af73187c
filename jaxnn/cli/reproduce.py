"""`jaxnn reproduce [ID…]`."""

import functools
import json
import os
import shlex
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from typing import Any

from rich.console import Console

from jaxnn.cli import device
from jaxnn.cli.arguments import Reproduce
from jaxnn.cli.tables import print_table
from jaxnn.errors import UserError
from jaxnn.report.cells import format_cell
from jaxnn.storage.files import atomic_write


def run(command: Reproduce) -> None:
    if command.seeds is not None and command.seeds < 1:
        raise UserError(f"--seeds: expected at least 1, found {command.seeds}")
    from jaxnn.course.systems import RECORDS, SYSTEMS, choose

    if command.quick:
        compile_sooner()
    where = device.select_device(command.device, fast_compile=command.quick)
    systems = choose(command.ids, RECORDS if command.records else SYSTEMS)
    from jaxnn.course.session import Show
    from jaxnn.report.figures import save_pictures

    console, began = Console(), time.perf_counter()
    command.out.mkdir(parents=True, exist_ok=True)
    shown = Show(command.quick, command.seeds, command.data_dir)
    rows: list[dict[str, Any]] = []
    outcomes, drawn, missing = [], [], []

    def save(system: Any, draw: Callable[[], Any]) -> Any:
        named = [d._replace(name=f"{system.id}_{system.config or system.study}_{d.name}") for d in draw()]
        return save_pictures(command.out / "figures", iter([d._replace(title=f"{system.id} {d.title}") for d in named]))

    # One thread draws, beside what is run next: a figure takes a core for a second.
    with ThreadPoolExecutor(1) as artist:
        for system, found in zip(systems, in_turn(shown, systems, command.quick), strict=True):
            console.print(f"{system.id} {system.title} …", highlight=False)
            try:
                outcome, draw = found()
            except UserError as error:
                missing.append(f"{system.id} {system.config}: {error}")
                rows += rows_of(system, [], 0, 0.0, str(error))
                continue
            rows += rows_of(system, outcome.numbers, outcome.seeds, outcome.seconds, "")
            outcomes.append(facts(outcome))
            drawn.append(artist.submit(save, system, draw))
        figures = [figure for of_system in drawn for figure in of_system.result()]
    seconds = time.perf_counter() - began
    title = ("Records on MNIST" if command.records else "The course, reproduced") + (
        " (quick: its numbers prove nothing)" if command.quick else ""
    )
    machine = {"device": where, "seconds": seconds, "quick": command.quick}
    print_table(title, rows, command.json, facts={"systems": outcomes, **machine})
    write_report(command, title, rows, figures, outcomes, machine)
    console.print(f"all in {seconds:.0f} s\n{command.out / 'report.html'}", highlight=False, soft_wrap=True)
    if missing:
        raise UserError("not reproduced: " + "; ".join(missing))


def compile_sooner() -> None:
    """Before JAX starts: has XLA's older code generator compile, a third sooner, for programs that run for a moment."""
    flags, older = os.environ.get("XLA_FLAGS", ""), "--xla_cpu_use_fusion_emitters=false"
    # An unknown flag ends the process: only where it is known.
    if older not in flags and metadata.version("jaxlib").startswith("0.10."):
        os.environ["XLA_FLAGS"] = f"{flags} {older}".strip()


def in_turn(shown: Any, systems: Any, quick: bool) -> Iterator[Callable[[], Any]]:
    """What gives each system's outcome, or raises what went wrong, in order.

    quick: two at a time. A short run is mostly compiled, on one core, and its time is nobody's measurement.
    """
    if not quick:
        yield from (functools.partial(shown, system) for system in systems)
        return
    with ThreadPoolExecutor(2) as pool:
        waiting = deque(pool.submit(shown, system) for system in systems)
        while waiting:  # each is let go of once it was shown
            yield waiting.popleft().result


def rows_of(system: Any, numbers: Any, seeds: int, seconds: float, error: str) -> list[dict[str, Any]]:
    """A row for each number; the time stands in the first."""
    row = record_row if system.id.startswith("R") else course_row
    if error:
        return [row(system, None, error, seeds, seconds)]
    return [row(system, n, n.verdict, seeds, seconds if i == 0 else 0.0) for i, n in enumerate(numbers)]


def course_row(system: Any, number: Any, verdict: str, seeds: int, seconds: float) -> dict[str, Any]:
    course = None if number is None else number.number
    return {
        "system": f"{system.id} {system.config or system.study}",
        "number": "–" if number is None else number.name,
        "course": "–" if course is None else course,
        "ours": "–" if number is None else number.spread,
        "the course's number lies": verdict,
        "seeds": seeds,
        "s": round(seconds, 1) if seconds else "",
    }


def record_row(system: Any, number: Any, verdict: str, seeds: int, seconds: float) -> dict[str, Any]:
    """± by chance: the binomial standard error of an accuracy of so many examples."""
    chance = None if number is None else number.chance
    return {
        "record": f"{system.id} {system.config}",
        "number": "–" if number is None else number.name,
        "ours": "–" if number is None else number.spread,
        "± by chance": "–" if chance is None else f"{chance:.2f}",
        "target": verdict if number is None or number.target is not None else "–",
        "seeds": seeds,
        "s": round(seconds, 1) if seconds else "",
    }


def facts(outcome: Any) -> dict[str, Any]:
    """An outcome as JSON, every seed's number with it."""
    return {
        "id": outcome.system.id,
        "config": outcome.system.config,
        "title": outcome.system.title,
        "seeds": outcome.seeds,
        "seconds": outcome.seconds,
        "numbers": [
            {
                "name": n.name,
                "course": n.number,
                "target": n.target,
                **n.spread,
                "chance": n.chance,
                "place": n.place,
                "values": list(n.values),
            }
            for n in outcome.numbers
        ],
    }


def write_report(command: Reproduce, title: str, rows: Any, figures: Any, outcomes: Any, machine: Any) -> None:
    from jaxnn.report import Table, write_report

    head = list(rows[0])
    atomic_write(command.out / "results.json", (json.dumps(outcomes, indent=1, ensure_ascii=False) + "\n").encode())
    write_report(
        command.out / "report.html",
        title=title,
        command=shlex.join(("jaxnn", *sys.argv[1:])),
        summary_rows=[
            ("systems", str(len({next(iter(r.values())).split()[0] for r in rows}))),
            ("seconds", f"{machine['seconds']:.0f}"),
        ],
        tables=[Table(title, head, [[format_cell(v) for v in r.values()] for r in rows])],
        figures=figures,
        config_text="each system's config: jaxnn configs",
        manifest=machine,
    )
