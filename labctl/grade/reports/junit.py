"""A grade as JUnit's XML: testsuites/testsuite/testcase, times in seconds."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from labctl.grade.model import Grade
from labctl.grade.reports.text import described

# Characters that XML 1.0 (section 2.2) has no way to write.
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(grade: Grade) -> str:
    about = {
        "tests": str(len(grade.outcomes)),
        "failures": str(grade.count("failed")),
        "errors": str(grade.count("error")),
        "skipped": str(grade.count("skipped")),
        "time": f"{grade.seconds:.3f}",
    }
    root = ET.Element("testsuites", about)
    name = f"labctl grade {grade.subject.name}"
    suite = ET.SubElement(root, "testsuite", {"name": name, **about})
    for one in grade.outcomes:
        case = ET.SubElement(
            suite,
            "testcase",
            {"classname": f"labctl.grade.{grade.subject.name}", "name": one.check.name, "time": f"{one.seconds:.3f}"},
        )
        if one.verdict == "skipped":
            ET.SubElement(case, "skipped", {"message": _text(one.why)})
        elif one.verdict != "passed":
            kind = "failure" if one.verdict == "failed" else "error"
            found = ET.SubElement(case, kind, {"message": _text(one.check.what), "type": one.verdict})
            found.text = _text(described(one))
    if grade.output:
        ET.SubElement(suite, "system-out").text = _text(grade.output)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True)


def _text(text: str) -> str:
    return _UNWRITABLE.sub("\ufffd", text)
