"""Images from elsewhere: from a registry, or from an archive. Each function says in a few words why that failed."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from labctl.engine.docker.endpoint import Endpoint
from labctl.engine.docker.wire import Refused, Wire, explained
from labctl.engine.model import LABEL_SOURCE
from labctl.errors import LabError

REGISTRY_LIMIT = 8  # seconds until a registry that doesn't answer counts as not there


def registry_answers(endpoint: Endpoint, image: str) -> str | None:
    """None where the image's registry answers the engine in time, else why not."""
    try:
        Wire(endpoint).call("GET", f"/distribution/{quote(image, safe='/:@')}/json", limit=REGISTRY_LIMIT)
    except (Refused, LabError) as problem:
        return problem.message
    return None


def pull(endpoint: Endpoint, image: str, limit: int) -> str | None:
    """Pulls an image; None when it is there now, else why not."""
    repository, tag = _apart(image)
    return _create(endpoint, limit, fromImage=repository, tag=tag)


def import_image(endpoint: Endpoint, archive: Path, name: str, limit: int) -> str | None:
    """Makes an image of a file system's tar archive, and labels it as labctl's; None when it is there now, else why
    not."""
    repository, tag = _apart(name)
    label = f"LABEL {LABEL_SOURCE}={name}"
    return _create(endpoint, limit, archive, fromSrc="-", repo=repository, tag=tag, changes=label)


def save(endpoint: Endpoint, names: Sequence[str], archive: Path, limit: float) -> None:
    """Writes images to a file, as `docker save` does. Raises LabError."""
    wire = Wire(endpoint)
    query = "&".join(f"names={quote(name, safe='')}" for name in names)
    try:
        response = wire.stream("GET", f"/images/get?{query}", limit=limit)
    except Refused as refusal:
        raise explained("save images", refusal) from None
    try:
        with response.sock, archive.open("wb") as file:
            for piece in response.pieces(limit):
                file.write(piece)
    except OSError as problem:
        raise wire.unreachable(problem) from None


def load(endpoint: Endpoint, archive: Path, limit: float) -> str | None:
    """Takes images in that `save` wrote; None when they are there, else why not."""
    deadline = time.monotonic() + limit
    try:
        response = Wire(endpoint).stream("POST", "/images/load", file=archive, limit=limit, quiet=True)
        with response.sock:
            told = response.read(deadline).decode(errors="replace")
    except (Refused, LabError) as problem:
        return problem.message
    except OSError as problem:
        return problem.strerror or str(problem) or f"not within {limit:g} s"
    return next((str(line["error"]) for line in map(_object, told.splitlines()) if "error" in line), None)


def _apart(image: str) -> tuple[str, str]:
    """The repository, and the tag or digest: a colon before the last slash is that of a registry's port."""
    if "@" in image:
        repository, _, digest = image.partition("@")
        return repository, digest
    repository, colon, tag = image.rpartition(":")
    return (repository, tag) if colon and "/" not in tag else (image, "latest")


def _create(endpoint: Endpoint, limit: int, archive: Path | None = None, **query: str) -> str | None:
    """The engine tells of its progress in lines of JSON, and there, too, of what went wrong."""
    deadline = time.monotonic() + limit
    try:
        response = Wire(endpoint).stream("POST", "/images/create", file=archive, limit=limit, **query)
        with response.sock:
            told = response.read(deadline).decode(errors="replace")
    except (Refused, LabError) as problem:
        return problem.message
    except OSError as problem:  # the end of the limit, too
        return problem.strerror or str(problem) or f"not within {limit} s"
    return next((str(line["error"]) for line in map(_object, told.splitlines()) if "error" in line), None)


def _object(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
