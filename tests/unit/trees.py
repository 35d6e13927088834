"""What the modules of this project say, taken apart once for all tests that look at it."""

import ast
from functools import cache
from pathlib import Path


@cache
def nodes(file: Path) -> tuple[ast.AST, ...]:
    """All nodes of a module's tree."""
    return tuple(ast.walk(ast.parse(file.read_text())))
