"""docs/errors.md: `python -m labctl.errors.page > docs/errors.md` writes it anew."""

from __future__ import annotations

from collections.abc import Iterator

from labctl.errors.family import LabError
from labctl.errors.tables import ERRORS


def as_markdown() -> str:
    parts = [
        "# Errors\n\nEvery error that labctl explains, by its code (the `code` of the error document under `--json`). "
        "Words in braces stand for what the error is about. Exit status 1.\n\n"
        "In a Python program each of them is an exception of the class that stands under it, with the attributes "
        "`code`, `message` and `hint`:\n",
        "\n".join(_tree(LabError, 0)) + "\n",
    ]
    for code, kind in sorted(ERRORS.items()):
        hint = f"\n{kind.hint}\n" if kind.hint else ""
        text = f"### {code}\n\n{kind.meaning}\n\n    {kind.message}\n{hint}".replace("{{", "{").replace("}}", "}")
        parts.append(f"{text}\nClass: `{kind.family.__name__}`\n")
    return "\n".join(parts)


def _tree(family: type[LabError], depth: int) -> Iterator[str]:
    """A class and those under it, as a nested list; one with two bases stands under the first."""
    about = " ".join((family.__doc__ or "").partition("\n\n")[0].split())
    also = f" (also a `{family.__bases__[1].__name__}`)" if len(family.__bases__) > 1 else ""
    yield f"{'  ' * depth}- `{family.__name__}`{also}: {about}"
    for other in family.__subclasses__():
        if other.__bases__[0] is family:
            yield from _tree(other, depth + 1)


if __name__ == "__main__":
    print(as_markdown(), end="")
