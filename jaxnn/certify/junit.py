"""Certificates as a JUnit XML file, which continuous integration services show: a test case for each law."""

from collections.abc import Sequence
from xml.etree import ElementTree

from jaxnn.certify.certificate import Certificate
from jaxnn.certify.finding import Finding

#: Characters that XML cannot hold, such as those of a hostile name.
_NOT_IN_XML = dict.fromkeys(
    [*(i for i in range(32) if i not in (9, 10, 13)), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF], "�"
)


def junit_xml(certificates: Sequence[Certificate]) -> bytes:
    """A suite for each certificate. A law that was not measured is skipped, with its reason."""
    root = ElementTree.Element("testsuites", name="jaxnn certify")
    for certificate in certificates:
        cases = [_case(certificate, finding) for finding in certificate.findings]
        verdict = ElementTree.Element("testcase", classname=_text(certificate.name), name="verdict")
        if not certificate.holds:
            lines = certificate.failures or ["does not hold"]
            ElementTree.SubElement(verdict, "failure", message=_text(lines[0])).text = _text("\n".join(lines))
        cases.append(verdict)
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=_text(certificate.name),
            tests=str(len(cases)),
            failures=str(sum(case.find("failure") is not None for case in cases)),
            skipped=str(sum(case.find("skipped") is not None for case in cases)),
            errors="0",
        )
        suite.extend(cases)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"


def _case(certificate: Certificate, finding: Finding) -> ElementTree.Element:
    name = f"law {finding.number} ({finding.law}): {finding.case}"
    case = ElementTree.Element("testcase", classname=_text(certificate.name), name=_text(name))
    if finding.measurement is None:
        ElementTree.SubElement(case, "skipped", message=_text(finding.reason))
    elif finding.status == "broken":
        ElementTree.SubElement(case, "failure", message=_text(finding.measurement))
    return case


def _text(value: object) -> str:
    return str(value).translate(_NOT_IN_XML)
