"""Certificates: what was found out about every law for one layer or rule, and the verdict."""

import itertools
from typing import NamedTuple

from jaxnn.certify.cost import CostComparison
from jaxnn.certify.finding import COMPARISONS, Finding
from jaxnn.certify.measurement import Measurement, worst


class PlantedMutant(NamedTuple):
    """A mistake planted in the rule.

    law: the law that detects it, "" if none does
    detected: whether the caller's own test detects it; None without a test
    """

    name: str
    law: str
    detected: bool | None = None


class Certificate(NamedTuple):
    """What was found out about the laws, and whether they hold.

    cost: bytes, FLOPs and time beside autodiff's, if they were measured
    smallest_shape: the smallest shapes that break a law, in words
    mutants: the planted mistakes, if they were asked for
    judges_cost: whether a cost that is worse than autodiff's breaks the certificate; otherwise it is reported
    notes: what must be known about the rule to read the findings
    refused: why the rule could not be certified at all, in one line
    """

    name: str
    findings: tuple[Finding, ...]
    cost: CostComparison | None = None
    smallest_shape: str = ""
    mutants: tuple[PlantedMutant, ...] = ()
    judges_cost: bool = True
    notes: tuple[str, ...] = ()
    refused: str = ""

    @property
    def holds(self) -> bool:
        """Whether no law is broken, and the gradient was compared with a reference."""
        return not self.broken and self.is_compared and (not self.judges_cost or self.cost is None or self.cost.holds)

    @property
    def is_compared(self) -> bool:
        """Whether the gradient was compared with autodiff, finite differences or the gradient that is meant."""
        return any(finding.law in COMPARISONS for finding in self.entries)

    @property
    def entries(self) -> tuple[Finding, ...]:
        """The laws that were measured."""
        return tuple(finding for finding in self.findings if finding.measurement is not None)

    @property
    def broken(self) -> tuple[Finding, ...]:
        """The broken laws."""
        return tuple(finding for finding in self.findings if finding.status == "broken")

    @property
    def wrong_leaves(self) -> frozenset[str]:
        """The names of the leaves whose gradient breaks a law."""
        measurements = [f.measurement for f in self.broken if f.measurement is not None]
        return frozenset(leaf for m in measurements for leaf in (m.leaf, *m.others))

    @property
    def unmeasured(self) -> tuple[Finding, ...]:
        """The laws that could not be measured, each with its reason."""
        return tuple(finding for finding in self.findings if finding.measurement is None)

    @property
    def structure_holds(self) -> bool:
        """Whether the gradients have the right structure; without it the cost cannot be measured."""
        return all(finding.law != "structure" for finding in self.broken)

    def worst(self, law: str) -> Measurement | None:
        """The worst measurement of a law; None if it was not measured."""
        measurements = [f.measurement for f in self.findings if f.law == law and f.measurement is not None]
        return worst(measurements) if measurements else None

    @property
    def failures(self) -> list[str]:
        """A line for each broken law: the finding that is furthest beyond its bound, expected and got."""
        if self.refused:
            return [self.refused]
        lines = []
        for law, findings in itertools.groupby(sorted(self.broken, key=lambda f: f.law), key=lambda f: f.law):
            pairs = [(f, f.measurement) for f in findings if f.measurement is not None]
            finding, measurement = max(pairs, key=lambda pair: pair[1].severity)
            lines.append(f"{finding.case}: law {finding.number} ({law}): {measurement}")
        if not self.broken and not self.is_compared:
            lines.append(f"{self.name}: the gradient was compared with nothing: neither autodiff nor differences")
        if self.smallest_shape:
            lines.append(f"{self.name}: smallest failing shape: {self.smallest_shape}")
        if self.cost is not None and self.judges_cost:
            lines += [f"{self.name}: law 9 (cost): {message}" for message in self.cost.regressions]
        return lines

    @property
    def remarks(self) -> list[str]:
        """What is reported but not judged: laws that were not measured and why, notes, and a cost above autodiff's."""
        lines = [f"{self.name}: {note}" for note in self.notes]
        for reason, findings in itertools.groupby(self.unmeasured, key=lambda finding: finding.reason):
            laws = ", ".join(dict.fromkeys(finding.law for finding in findings))
            lines.append(f"{self.name}: not measured: {laws}: {reason}")
        if self.cost is not None and not self.judges_cost:
            lines += [f"{self.name}: cost, for information: {message}" for message in self.cost.regressions]
        return lines

    def __str__(self) -> str:
        laws = len({finding.law for finding in self.entries})
        lines = [f"{self.name}: {'certified' if self.holds else 'NOT certified'}, {laws} laws", *self.failures]
        lines += [f"  {remark}" for remark in self.remarks]
        lines += [
            f"  planted: {m.name}: {'detected by ' + m.law if m.law else 'detected by no law'}"
            + ("" if m.detected is None else f"; your test {'detects it' if m.detected else 'does NOT detect it'}")
            for m in self.mutants
        ]
        return "\n".join(lines)

    def check(self) -> "Certificate":
        """Returns the certificate; raises `AssertionError` with all failures if it does not hold."""
        if not self.holds:
            raise AssertionError(str(self))
        return self
