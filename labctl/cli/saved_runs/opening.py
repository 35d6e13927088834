"""What `labctl open` does. No typer here: labctl/cli/quick.py comes without."""

from __future__ import annotations

from pathlib import Path

from labctl.bundle import garbage
from labctl.cli import output
from labctl.errors import LabError


@garbage.left_alone()
def open_file(file: str, into: str | None, other: str | None = None) -> None:
    """Shows a saved run or a capture, with that of the `other` end where there is one, as a page; or writes the page
    `into` a file."""
    from labctl.bundle.container import is_run, write
    from labctl.bundle.model import SUFFIX
    from labctl.page.document import saved

    problem, path = None, Path(file)
    if is_run(path) or path.suffix == SUFFIX:  # what is wrong with one that should be is told
        from labctl.bundle.file import read
        from labctl.bundle.page import document

        if other is not None:
            import typer

            raise typer.BadParameter("a run has both ends already: name it alone")
        found = document(read(path))
    else:
        from labctl.bundle import captures

        found, problem = captures.document(file, other)
    page = Path(into) if into else _place(path)
    write(page, saved(found).encode())
    for note in found["notes"]:
        output.talk(f"note: {note}")
    output.data(page.absolute().as_uri())
    if into is None:
        _show(page)
    if problem:
        raise problem


def _place(file: Path) -> Path:
    """Where a page is put that nobody gave a place: a folder of this user's own. Raises LabError `file-unwritable`."""
    import os

    from labctl.private import make_folder, top

    folder = top() / f"labctl-pages-{os.getuid()}"
    try:
        make_folder(folder)
    except OSError as problem:
        raise LabError("file-unwritable", file=folder, why=problem.strerror or str(problem)) from None
    return folder / f"{file.name}.html"


def _show(page: Path) -> None:
    """In this user's browser, where there is a screen for one."""
    import os
    import sys
    import webbrowser

    screens = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    has_screen = sys.platform == "darwin" or any(os.environ.get(name) for name in screens)
    if not has_screen or not webbrowser.open(page.absolute().as_uri()):
        output.talk("no browser could be opened: give the address to one")
