"""All checks of a topology's files, one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from labctl.named import NamedTuple
from labctl.topology.check.addresses import check_addresses
from labctl.topology.check.extension import check_extension
from labctl.topology.check.kinds import Trait
from labctl.topology.check.names import check_names
from labctl.topology.check.plan import data_of, plan_of
from labctl.topology.check.ports import check_ports
from labctl.topology.check.problems import Problems
from labctl.topology.check.reading.shapes import check_shapes
from labctl.topology.check.reading.source import Source
from labctl.topology.check.subnets import check_subnets
from labctl.topology.check.values import check_values
from labctl.topology.check.variables import check_variables


class Answer(NamedTuple):
    """What Compose says: its reading (`config`) with the variables that are not set, or its `complaint`; `version` is
    its own. Neither: it wasn't asked."""

    config: Mapping[str, Any] | None = None
    complaint: str = ""
    unset: tuple[str, ...] = ()
    version: str = ""


NOT_ASKED = Answer()


def check(
    source: Source, files: Iterable[Path], answer: Answer = NOT_ASKED, known: Mapping[str, str] | None = None
) -> Problems:
    """What is wrong with files that could be read. `known` has texts with variables, and what Compose made of them."""
    known, paths, config = known or {}, tuple(files), answer.config
    found = Problems()
    found.extend(source.problems)
    # Keys that are newer than the table of keys: Compose, who refuses what it doesn't know, has taken them.
    taken = config is not None
    shapes = check_shapes(source)
    found.extend(one for one in shapes if not (taken and one.has(Trait.NEWER) and "x-labctl" not in one.path))
    found.extend(check_names(source))
    raw = data_of(source.root, known)
    plan = plan_of(raw, config)
    found.extend(check_subnets(source, plan))
    found.extend(check_addresses(source, plan))
    found.extend(check_ports(source, raw, plan, config, known))
    found.extend(check_extension(source, plan))
    data = raw if config is None else config
    found.extend(check_values(source, data, plan, paths[0].parent, complete=config is not None))
    found.extend(check_variables(source, answer.unset))
    if answer.complaint:
        from labctl.topology.check.compose import add_complaint

        add_complaint(source, answer.complaint, paths, found, answer.version)
    return found
