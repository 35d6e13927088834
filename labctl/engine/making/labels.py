"""Compose's own labels: by them it knows what is its own, and what has changed since."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from labctl.engine.model import (
    COMPOSE_HASH,
    COMPOSE_IMAGE,
    COMPOSE_NETWORK,
    COMPOSE_NUMBER,
    COMPOSE_ONEOFF,
    COMPOSE_PROJECT,
    COMPOSE_SERVICE,
    LABEL_MADE,
)
from labctl.named import NamedTuple
from labctl.sha import sha256

COMPOSE_VERSION = "com.docker.compose.version"
COMPOSE_VOLUME = "com.docker.compose.volume"
COMPOSE_DEPENDS = "com.docker.compose.depends_on"
COMPOSE_REPLACE = "com.docker.compose.replace"
COMPOSE_FOLDER = "com.docker.compose.project.working_dir"
COMPOSE_FILES = "com.docker.compose.project.config_files"
COMPOSE_ENVIRONMENT = "com.docker.compose.project.environment_file"


class Origin(NamedTuple):
    """Where a project comes from, in Compose's words: its version, the project's folder, its files and those with its
    variables (comma-separated). `hashes` are the digests of the services as the files have them, by which Compose knows
    whether one changed."""

    version: str = ""
    folder: str = ""
    files: str = ""
    environment: str = ""
    hashes: Mapping[str, str] | None = None


def of_container(
    project: str, name: str, service: Mapping[str, Any], number: int, image: str, origin: Origin
) -> dict[str, str]:
    """`image` is the id of the service's image."""
    found = {str(key): "" if value is None else str(value) for key, value in (service.get("labels") or {}).items()}
    found |= {
        COMPOSE_PROJECT: project,
        COMPOSE_SERVICE: name,
        COMPOSE_VERSION: origin.version,
        COMPOSE_FOLDER: origin.folder,
        COMPOSE_FILES: origin.files,
        COMPOSE_ONEOFF: "False",
        COMPOSE_IMAGE: image,
        COMPOSE_HASH: (origin.hashes or {}).get(name, ""),
        COMPOSE_NUMBER: str(number),
        COMPOSE_DEPENDS: ",".join(_dependencies(service)),
    }
    return found | ({COMPOSE_ENVIRONMENT: origin.environment} if origin.environment else {})


def _dependencies(service: Mapping[str, Any]) -> list[str]:
    wanted = (service.get("depends_on") or {}).items()
    return sorted(f"{name}:{how['condition']}:{str(bool(how.get('restart'))).lower()}" for name, how in wanted)


def of_network(project: str, key: str, network: Mapping[str, Any], version: str) -> dict[str, str]:
    return _own(network) | {COMPOSE_NETWORK: key, COMPOSE_PROJECT: project, COMPOSE_VERSION: version}


def of_volume(project: str, key: str, volume: Mapping[str, Any], version: str) -> dict[str, str]:
    return _own(volume) | {COMPOSE_VOLUME: key, COMPOSE_PROJECT: project, COMPOSE_VERSION: version}


def _own(item: Mapping[str, Any]) -> dict[str, str]:
    return {str(key): "" if value is None else str(value) for key, value in (item.get("labels") or {}).items()}


def digest(body: Mapping[str, Any]) -> str:
    """Of what a container is asked for with, but for what Compose alone compares, or what says only where it is from:
    a container with another one is made anew."""
    said = (COMPOSE_VERSION, COMPOSE_FOLDER, COMPOSE_FILES, COMPOSE_ENVIRONMENT, COMPOSE_HASH, COMPOSE_IMAGE)
    kept = {key: value for key, value in body["Labels"].items() if key not in (*said, COMPOSE_REPLACE, LABEL_MADE)}
    text = json.dumps({**body, "Labels": kept}, sort_keys=True, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()
