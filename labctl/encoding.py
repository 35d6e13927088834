"""Bytes that somebody gave as text."""

from __future__ import annotations

import sys

from labctl.errors import LabError


def decoded(data: bytes, what: str) -> str:
    """What somebody typed, in the locale's encoding (UTF-8 in C and POSIX: PEP 540). Raises LabError `not-utf8`."""
    encoding = sys.getfilesystemencoding()
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        raise LabError("not-utf8", what=what, encoding=encoding.upper()) from None
