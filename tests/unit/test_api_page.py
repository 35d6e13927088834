"""docs/api.md: its examples run, and its reference is what the code says."""

import doctest
import inspect
import re
from pathlib import Path

import labctl
from labctl.api.page import reference

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
MARK = "## Reference\n"
ENGINES = ("DockerEngine", "Engine", "MemoryEngine")  # which are for labctl's own rooms; docs/engine.md tells of them
# Python's own types, those that the reference begins with, and what is only passed on.
KNOWN = (
    *(
        "Any",
        "BaseException",
        "BinaryIO",
        "Callable",
        "False",
        "Iterator",
        "Mapping",
        "None",
        "Path",
        "Self",
        "Sequence",
    ),
    *("True", "Family", "FilePath", "Since", "MachineEngine"),
)


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
            assert f"### {name}\n" in reference()


def test_nothing_public_is_without_words():
    """Neither a member of a class that `labctl` names, nor a type that a signature there speaks of."""
    said, known = reference(), set(KNOWN)
    heads = set(re.findall(r"^### (\w+)", said, re.M))
    for name in labctl.__all__:
        found = getattr(labctl, name)
        if not isinstance(found, type) or issubclass(found, labctl.LabError) or name in ENGINES:
            continue
        assert found.__doc__, name
        assert not found.__doc__.startswith(f"{name}("), f"{name} has dataclass's own words alone"
        for base in found.__mro__[:-1]:
            for key, value in vars(base).items():
                if not key.startswith("_") and (inspect.isfunction(value) or isinstance(value, property)):
                    assert value.__doc__, f"{name}.{key}"
    sections = re.split(r"^### ", said, flags=re.M)[1:]
    ours = [text for text in sections if re.match(r"\w+", text)[0] not in (*ENGINES, "MemoryContainer")]
    assert len(ours) > 80
    signatures = [
        line for text in ours for line in re.findall(r"^    \w+\(.*\) -> .*$|^- `\w+\(.*\) -> .*?`", text, re.M)
    ]
    assert len(signatures) > 150
    words = {word for line in signatures for word in re.findall(r"\b(?<!')[A-Z]\w+\b(?!')", line)}
    assert words - heads - known == set()
