"""This process's environment variables."""

from __future__ import annotations

import os


def variables() -> dict[str, str]:
    """All of them as they are now. `{**os.environ}` fails where another thread takes one out meanwhile, as programs do
    that use labctl as a library: pytest says there which test runs."""
    return {name: value for name in list(os.environ) if (value := os.environ.get(name)) is not None}
