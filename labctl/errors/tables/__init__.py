"""The table of all errors that labctl explains, by their codes: one part for each thing that they are about.

A new error is an entry in one of the parts (labctl/errors/kind.py says of what), and its section in docs/errors.md,
which `python -m labctl.errors.page > docs/errors.md` writes.
"""

from __future__ import annotations

from labctl.errors.kind import Table
from labctl.errors.tables.engine import ENGINE
from labctl.errors.tables.faults import FAULTS
from labctl.errors.tables.files import FILES
from labctl.errors.tables.labs import LABS
from labctl.errors.tables.lines import LINES
from labctl.errors.tables.nodes import NODES
from labctl.errors.tables.page import PAGE
from labctl.errors.tables.patterns import PATTERNS
from labctl.errors.tables.placing import HOSTS, PLACING
from labctl.errors.tables.programs import PROGRAMS
from labctl.errors.tables.reach import REACH
from labctl.errors.tables.recording import RECORDING
from labctl.errors.tables.runs import RUNS
from labctl.errors.tables.teaching import GRADES, LESSONS
from labctl.errors.tables.topology import TOPOLOGY

PARTS = (
    ENGINE,
    TOPOLOGY,
    HOSTS,
    PLACING,
    LABS,
    NODES,
    PROGRAMS,
    LINES,
    FAULTS,
    REACH,
    RECORDING,
    RUNS,
    PATTERNS,
    GRADES,
    LESSONS,
    PAGE,
    FILES,
)
ERRORS: Table = {code: kind for part in PARTS for code, kind in part.items()}
