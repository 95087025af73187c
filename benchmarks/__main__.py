"""`python -m benchmarks [NAME…]`: measures times, ratios and targets, and writes results and tables."""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import benches, gpu
from benchmarks.machine import describe_machine, matmul_rate, use_every_core_as_a_device
from benchmarks.results_file import BenchmarkResult, from_json, to_json
from benchmarks.rooflines import limit
from benchmarks.table import format_ratio, markdown_table, print_result, replace_between_markers

FOLDER = Path(__file__).parent
#: The page with the tables, between the markers of each device.
PAGE = FOLDER.parent / "docs" / "performance.md"
#: The key of a machine's rate in the results file.
RATE = "float32 matmul, GFLOP/s"


def write_page(results: list[BenchmarkResult], entries: dict[str, Any], device: str) -> None:
    """Writes the table of all results into docs/performance.md.

    entries: those of the results file, by name
    """
    table = markdown_table(results, {r.name: entries[r.name]["machine"][RATE] for r in results})
    PAGE.write_text(replace_between_markers(PAGE.read_text("utf-8"), table, device), "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(benches.benchmark_names())}; default: all"
    )
    parser.add_argument("--json", type=Path, help="the results file (default: benchmarks/results/DEVICE.json)")
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu", help="gpu: the benchmarks of gpu.py")
    parser.add_argument("--rounds", type=int, help="rounds of each benchmark (default: as the workload defines)")
    parser.add_argument("--docs", action="store_true", help="also write the table into docs/performance.md")
    arguments = parser.parse_args()
    known = benches.benchmark_names() if arguments.device == "cpu" else gpu.benchmark_names()
    for name in arguments.names:
        if name not in known:
            parser.error(f"expected benchmarks among {', '.join(known)}, found {name!r}")
    file = arguments.json or FOLDER / "results" / f"{arguments.device}.json"
    console = Console()
    use_every_core_as_a_device()
    rate = matmul_rate()
    machine = describe_machine() | {RATE: round(rate / 1e9, 1)}
    console.print(machine)
    on_cpu = arguments.device == "cpu"
    benchmarks: Any = benches.CpuBenchmarks(rate, arguments.rounds) if on_cpu else gpu.GpuBenchmarks(arguments.rounds)
    stored: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    results: dict[str, BenchmarkResult] = {
        name: from_json(entry["found"]) for name, entry in stored.get("benchmarks", {}).items()
    }
    failures: list[str] = []
    for name in arguments.names or known:
        try:
            results[name] = getattr(benchmarks, name)()
        except RuntimeError as error:
            failures.append(f"{name}: {error}")
            console.print(failures[-1], markup=False)
            continue
        print_result(console, results[name])
        entry = {
            "found": to_json(results[name]),
            "machine": machine,
            "date": time.strftime("%Y-%m-%d"),
            "command": f"python -m benchmarks {name} --device {arguments.device}",
        } | limit(results[name], arguments.device)
        stored.setdefault("benchmarks", {})[name] = entry
        # Written after each benchmark, so that a later failure loses nothing.
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(stored, indent=1, ensure_ascii=False) + "\n")
        if arguments.docs:
            ordered = [results[name] for name in known if name in results]
            write_page(ordered, stored["benchmarks"], arguments.device)
    ordered = [results[name] for name in known if name in results]
    missed = [
        f"{result.name}: {format_ratio(ratio)}" for result in ordered for ratio in result.ratios if ratio.met is False
    ]
    console.print(f"{sum(len(result.ratios) for result in ordered)} ratios, {len(missed)} missed", *missed, sep="\n  ")
    if failures:
        sys.exit("\n".join(failures))


if __name__ == "__main__":
    main()
