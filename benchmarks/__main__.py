"""`python -m benchmarks [NAME…]`: times, ratios and targets; the results are kept, and make the README's table."""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import benches, gpu
from benchmarks.machine import every_core_a_device, machine, matmul_rate
from benchmarks.results_file import Finding, as_json, of_json
from benchmarks.rooflines import bounded
from benchmarks.table import between_marks, markdown, said, show

HERE = Path(__file__).parent
README = HERE.parent / "README.md"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(benches.names())}; all if none is given"
    )
    parser.add_argument("--json", type=Path, help="where the results go (default: benchmarks/results/DEVICE.json)")
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu", help="gpu: its own benchmarks (see gpu.py)")
    parser.add_argument("--rounds", type=int, help="of each contest, for a quick look (default: its own)")
    parser.add_argument("--readme", action="store_true", help="also write the table into the README")
    asked = parser.parse_args()
    known = benches.names() if asked.device == "cpu" else gpu.names()
    for name in asked.names:
        if name not in known:
            parser.error(f"expected benchmarks among {', '.join(known)}, found {name!r}")
    place = asked.json or HERE / "results" / f"{asked.device}.json"
    console = Console()
    every_core_a_device()
    rate = matmul_rate()
    about = machine() | {"float32 matmul, GFLOP/s": round(rate / 1e9, 1)}
    console.print(about)
    measure: Any = benches.Measure(rate, asked.rounds) if asked.device == "cpu" else gpu.Measure(rate)
    kept: dict[str, Any] = json.loads(place.read_text()) if place.exists() else {}
    findings: dict[str, Finding] = {name: of_json(some["found"]) for name, some in kept.get("benchmarks", {}).items()}
    failed: list[str] = []
    for name in asked.names or known:
        try:
            findings[name] = getattr(measure, name)()
        except RuntimeError as error:
            failed.append(f"{name}: {error}")
            console.print(failed[-1], markup=False)
            continue
        show(console, findings[name])
        entry = {
            "found": as_json(findings[name]),
            "machine": about,
            "date": time.strftime("%Y-%m-%d"),
            "command": f"python -m benchmarks {name} --device {asked.device}",
        } | bounded(findings[name], asked.device)
        kept.setdefault("benchmarks", {})[name] = entry
        # After each: what was measured is not lost with what follows.
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    in_order = [findings[name] for name in known if name in findings]
    if asked.readme:
        README.write_text(between_marks(README.read_text(), markdown(in_order), asked.device))
    missed = [f"{f.name}: {said(r)}" for f in in_order for r in f.ratios if r.met is False]
    console.print(f"{sum(len(f.ratios) for f in in_order)} ratios, {len(missed)} missed", *missed, sep="\n  ")
    if failed:
        sys.exit("\n".join(failed))


if __name__ == "__main__":
    main()
