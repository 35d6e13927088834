"""All checks of a file, one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from labctl.topology.check.addresses import check_addresses
from labctl.topology.check.compose import add_complaint
from labctl.topology.check.extension import check_extension
from labctl.topology.check.names import check_names
from labctl.topology.check.plan import data_of, plan_of
from labctl.topology.check.ports import check_ports
from labctl.topology.check.problems import Problems
from labctl.topology.check.shapes import check_shapes
from labctl.topology.check.source import Source
from labctl.topology.check.subnets import check_subnets


def check(
    source: Source,
    folder: Path,
    config: Mapping[str, Any] | None = None,
    complaint: str = "",
    known: Mapping[str, str] | None = None,
) -> Problems:
    """What is wrong with a file that could be read.

    `config` is Compose's reading of it where Compose could read it, `complaint` is what Compose said where it could
    not. Neither: Compose wasn't asked. `known` has texts with variables, and what Compose made of them.
    """
    known = known or {}
    found = Problems()
    found.extend(source.problems)
    shapes = check_shapes(source)
    # Keys that are newer than the table of keys: Compose, who refuses what it doesn't know, has taken them.
    newer = config is not None
    found.extend(one for one in shapes if not (newer and one.code == "unknown-key" and "x-labctl" not in one.path))
    found.extend(check_names(source))
    raw = data_of(source.root, known)
    plan = plan_of(raw, config)
    found.extend(check_subnets(source, plan))
    found.extend(check_addresses(source, plan))
    found.extend(check_ports(source, raw, plan, config, known))
    found.extend(check_extension(source, plan))
    if complaint:
        add_complaint(source, complaint, folder, found)
    return found
