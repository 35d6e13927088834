"""A table for people, and a file for machines."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.commands import docker, run
from bench.model import Result
from labctl import __version__
from labctl.engine.docker import DockerEngine

SCHEMA_VERSION = 1
HEADS = ("MEASURED", "OURS", "AGAINST", "THEIRS", "RATIO", "TARGET", "")


def table(results: Sequence[Result]) -> str:
    rows = [HEADS, *(_row(result) for result in results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _row(result: Result) -> tuple[str, ...]:
    target = result.target
    wanted = f"{'>=' if target.at_least else '<='} {target.limit:g}" + (f" {result.unit}" if target.absolute else "")
    return (
        result.what,
        _value(statistics.median(result.ours), result.unit),
        result.against or "-",
        _value(statistics.median(result.theirs), result.unit) if result.theirs else "-",
        "-" if result.ratio is None else f"{result.ratio:.2f}",
        wanted,
        "met" if result.is_met else "missed",
    )


def _value(value: float, unit: str) -> str:
    return f"{value:,.0f} {unit}" if value >= 1000 else f"{value:.3g} {unit}"


def machine() -> dict[str, Any]:
    """What the figures depend on besides labctl."""
    info = DockerEngine().info()
    return {
        "cores": os.cpu_count(),
        "architecture": platform.machine(),
        "memory_gib": round(info["MemTotal"] / 2**30, 1),
        "kernel": platform.release(),
        "system": info["OperatingSystem"],
        "engine": info["Version"]["Version"],
        "compose": run([docker(), "compose", "version", "--short"], 30).out.strip(),
        "python": platform.python_version(),
        "labctl": __version__,
        "load_before": round(os.getloadavg()[0], 2),
    }


def write(file: Path, results: Sequence[Result], about: dict[str, Any], runs: int, seconds: float) -> None:
    document = {
        "schema_version": SCHEMA_VERSION,
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "machine": about,
        "pairs": runs,
        "seconds": round(seconds),
        "results": [result.as_json() for result in results],
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document, indent=1) + "\n")
