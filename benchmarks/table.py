"""Findings as tables: on the screen, and as Markdown for the README and the results' own page."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from benchmarks.results_file import Finding, Ratio


def show(console: Console, finding: Finding) -> None:
    """Every time and every ratio of one benchmark."""
    table = Table(title=f"{finding.name}: {finding.title}", title_justify="left")
    for name in ("", f"seconds per {finding.unit}", "least … most", "compile", "test loss", "test accuracy"):
        table.add_column(name, justify="left" if not name else "right")
    for t in finding.timings:
        accuracy = "" if t.accuracy != t.accuracy else f"{100 * t.accuracy:.2f} %"
        loss = "" if t.loss != t.loss else f"{t.loss:.4f}"
        spread = f"{t.least:.3f} … {t.most:.3f}"
        table.add_row(f"{t.name} ({t.work})", f"{t.seconds:.3f}", spread, f"{t.compile_seconds:.1f}", loss, accuracy)
    console.print(table)
    for ratio in finding.ratios:
        console.print(f"  {said(ratio)}")
    for name, fact in finding.facts.items():
        console.print(f"  {name}: {fact}")
    console.print()


def said(ratio: Ratio) -> str:
    """A ratio, its target, and whether it is met."""
    target = "" if ratio.target is None else f" (target ≤ {ratio.target:g}: {'met' if ratio.met else 'MISSED'})"
    return f"{ratio.what}: {ratio.value:.3f}{target}"


def markdown(findings: Sequence[Finding]) -> str:
    """One row a target."""
    lines = ["| work | seconds, ours | compared | ratio | target | |", "|---|---|---|---|---|---|"]
    for finding in findings:
        for ratio in finding.ratios:
            target = "" if ratio.target is None else f"≤ {ratio.target:g}"
            verdict = {None: "", True: "met", False: "**missed**"}[ratio.met]
            firsts = [t.seconds for t in finding.timings[:1]] if ratio.seconds is None else [ratio.seconds]
            ours = "".join(f"{seconds:.3g} per {finding.unit}" for seconds in firsts)
            lines.append(f"| {finding.title} | {ours} | {ratio.what} | {ratio.value:.3g} | {target} | {verdict} |")
    return "\n".join(lines)


def between_marks(page: str, table: str, device: str) -> str:
    """A page with the table of a device between its marks exchanged. Raises ValueError where it has no marks."""
    begin, end = f"<!-- benchmarks {device} -->", f"<!-- /benchmarks {device} -->"
    before, found, rest = page.partition(begin)
    _, ended, after = rest.partition(end)
    if not (found and ended):
        raise ValueError(f"expected the marks {begin} and {end} in the page, found none")
    return f"{before}{begin}\n{table}\n{end}{after}"
