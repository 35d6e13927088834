"""docs/api.md: its examples run, and its reference is what the code says."""

import doctest
from pathlib import Path

import labctl
from labctl.api.page import reference

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
MARK = "## Reference\n"


def test_its_examples_run():
    text = PAGE.read_text().partition(MARK)[0]
    parser = doctest.DocTestParser()
    examples = parser.get_doctest(text, {}, PAGE.name, str(PAGE), 0)
    assert len(examples.examples) > 40
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL)
    runner.run(examples, out=said.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(said)


def test_its_reference_is_what_the_code_says():
    before, _, _ = PAGE.read_text().partition(MARK)
    assert PAGE.read_text() == before + reference(), "python -m labctl.api.page"
    for name in labctl.__all__:
        found = getattr(labctl, name)
        if not (isinstance(found, type) and issubclass(found, labctl.LabError)):
            assert f"### {name}" in reference()
