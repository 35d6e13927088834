"""Errors of patterns of the wire."""

from __future__ import annotations

from labctl.errors.family import InvalidArgument, PatternDiffers
from labctl.errors.kind import Kind, Table

PATTERNS: Table = {
    "bad-pattern": Kind(
        InvalidArgument,
        "{file}:{row}:{column}: {why}",
        "docs/patterns.md has the notation; `labctl ladder alice bob --format pattern` writes one of what was seen",
        "A pattern of the wire can't be read, at that line and column.",
    ),
    "pattern-differs": Kind(
        PatternDiffers,
        "the wire between {nodes} is other than the pattern: {why}\n{lines}",
        "",
        "What both ends of the wire showed doesn't fit the pattern; of the lines below, - is wanted and + was seen.",
    ),
    "pattern-undecided": Kind(
        PatternDiffers,
        "whether the wire fits the pattern can't be found out: {why}",
        "",
        "A pattern with several * and blocks can be read in very many ways, and none of those that were tried fits.",
    ),
    "pattern-nodes": Kind(
        InvalidArgument,
        "{file} names {nodes}, and a wire is between two nodes at least",
        "a line such as `alice > bob S` names two",
        "The pattern that `labctl expect` was given has no packet between two nodes in it.",
    ),
}
