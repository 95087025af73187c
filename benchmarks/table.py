"""Benchmark results as tables: on the screen, and as Markdown for `docs/performance.md`."""

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from benchmarks.results_file import BenchmarkResult, Ratio


def print_result(console: Console, result: BenchmarkResult) -> None:
    """Prints all times and ratios of one benchmark."""
    table = Table(title=f"{result.name}: {result.title}", title_justify="left")
    for name in ("", f"seconds per {result.unit}", "least … most", "compile", "test loss", "test accuracy"):
        table.add_column(name, justify="left" if not name else "right")
    for t in result.timings:
        accuracy = "" if t.accuracy != t.accuracy else f"{100 * t.accuracy:.2f} %"
        loss = "" if t.loss != t.loss else f"{t.loss:.4f}"
        spread = f"{t.least:.3f} … {t.most:.3f}"
        table.add_row(f"{t.name} ({t.work})", f"{t.seconds:.3f}", spread, f"{t.compile_seconds:.1f}", loss, accuracy)
    console.print(table)
    for ratio in result.ratios:
        console.print(f"  {format_ratio(ratio)}")
    for name, fact in result.facts.items():
        console.print(f"  {name}: {fact}")
    console.print()


def format_ratio(ratio: Ratio) -> str:
    """A ratio, its target, and whether the target is met."""
    target = "" if ratio.target is None else f" (target ≤ {ratio.target:g}: {'met' if ratio.met else 'MISSED'})"
    return f"{ratio.what}: {ratio.value:.3f}{target}"


def markdown_table(results: Sequence[BenchmarkResult], rates: Mapping[str, float]) -> str:
    """A row for each ratio.

    rates: GFLOP/s of float32 matrix products on the machine of each result, by its name; results of several machines
        may stand in one table
    """
    lines = ["| work | seconds, ours | compared | ratio | target | | GFLOP/s |", "|---|---|---|---|---|---|---|"]
    for result in results:
        for ratio in result.ratios:
            target = "" if ratio.target is None else f"≤ {ratio.target:g}"
            verdict = {None: "", True: "met", False: "**missed**"}[ratio.met]
            seconds = [t.seconds for t in result.timings[:1]] if ratio.seconds is None else [ratio.seconds]
            ours = "".join(f"{value:.3g} per {result.unit}" for value in seconds)
            cells = (result.title, ours, ratio.what, f"{ratio.value:.3g}", target, verdict, f"{rates[result.name]:.0f}")
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def replace_between_markers(page: str, table: str, device: str) -> str:
    """A page with the table between a device's markers replaced. Raises ValueError if the page has no such markers."""
    begin, end = f"<!-- benchmarks {device} -->", f"<!-- /benchmarks {device} -->"
    before, begin_marker, rest = page.partition(begin)
    _, end_marker, after = rest.partition(end)
    if not (begin_marker and end_marker):
        raise ValueError(f"expected the markers {begin} and {end} in the page, found none")
    return f"{before}{begin}\n{table}\n{end}{after}"
