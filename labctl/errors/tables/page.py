"""The page."""

from __future__ import annotations

from labctl.errors.family import InvalidArgument, LabError
from labctl.errors.kind import Kind, Table

PAGE: Table = {
    "page-extra": Kind(
        LabError,
        "`labctl page` needs Starlette and uvicorn, which are not installed: {why}",
        "`uv tool install 'wirelab[page]'` or `pipx inject wirelab 'wirelab[page]'` gets them (a checkout has them)",
        "The page's server is an extra of the package, so that all else works without it.",
    ),
    "page-address": Kind(
        InvalidArgument,
        "the page can't be served at {place}: {why}",
        "",
        "The address is none of this machine's, or its port is taken or not for this user.",
    ),
}
