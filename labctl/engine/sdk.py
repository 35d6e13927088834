"""What Docker's SDK does for labctl: images from elsewhere, and containers that run once.

It takes a quarter of a second to import, which is nothing beside what these do and a lot beside a typed line; so it
is imported here alone, and late. Each function gives its result, or says in a few words why it has none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from labctl.engine.endpoint import Endpoint

REGISTRY_LIMIT = 8  # seconds until a registry that doesn't answer counts as not there


def client(endpoint: Endpoint, limit: int) -> Any:
    """The SDK's client for the endpoint; `limit` in seconds for each request."""
    import docker

    tls: Any = False
    if endpoint.tls:
        files = endpoint.tls
        tls = docker.tls.TLSConfig(
            client_cert=(str(files / "cert.pem"), str(files / "key.pem")) if (files / "cert.pem").exists() else None,
            ca_cert=str(files / "ca.pem") if (files / "ca.pem").exists() else None,
            verify=endpoint.verify,
        )
    return docker.APIClient(base_url=endpoint.url, tls=tls, timeout=limit, use_ssh_client=True)


def failures() -> tuple[type[Exception], ...]:
    """What the SDK's calls may raise."""
    import docker.errors
    import requests

    return (docker.errors.DockerException, requests.RequestException)


def reason(problem: Exception) -> str:
    return str(getattr(problem, "explanation", None) or problem or type(problem).__name__)


def registry_answers(endpoint: Endpoint, image: str) -> str | None:
    """None where the image's registry answers the engine in time, else why not."""
    try:
        client(endpoint, REGISTRY_LIMIT).inspect_distribution(image)
    except failures() as problem:
        return reason(problem)
    return None


def pull(endpoint: Endpoint, image: str, limit: int) -> str | None:
    """Pulls an image; None when it is there now, else why not."""
    from docker.utils import parse_repository_tag

    repository, tag = parse_repository_tag(image)
    try:
        client(endpoint, limit).pull(repository, tag or "latest")
    except failures() as problem:
        return reason(problem)
    return None


def _pieces(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        while piece := stream.read(1 << 20):
            yield piece


def import_image(endpoint: Endpoint, archive: Path, name: str, limit: int) -> str | None:
    """Makes an image of a file system's tar archive; None when it is there now, else why not."""
    repository, tag = name.split(":")
    try:
        # In pieces: the SDK announces a chunked body, and requests makes one of an iterator, but not of a file.
        client(endpoint, limit).import_image_from_stream(_pieces(archive), repository=repository, tag=tag)
    except failures() as problem:
        return reason(problem)
    return None


def run_once(
    endpoint: Endpoint,
    image: str,
    command: Sequence[str],
    *,
    labels: Mapping[str, str],
    abilities: Sequence[str],
    limit: int,
) -> tuple[str, str | None]:
    """Runs a command as root in a container without a network, with a few capabilities; what it printed, or why not."""
    api = client(endpoint, limit)
    made = None
    try:
        host = api.create_host_config(network_mode="none", cap_drop=["ALL"], cap_add=list(abilities))
        made = api.create_container(image, list(command), user="0", host_config=host, labels=dict(labels))
        api.start(made["Id"])
        api.wait(made["Id"], timeout=limit)
        return api.logs(made["Id"], stdout=True, stderr=True).decode(errors="replace"), None
    except failures() as problem:
        return "", reason(problem)
    finally:
        if made:
            api.remove_container(made["Id"], force=True)
