"""Errors of the Docker engine, of Compose and of images."""

from __future__ import annotations

from labctl.errors.family import (
    ComposeFailed,
    EngineError,
    EngineRefused,
    EngineTimeout,
    EngineUnreachable,
)
from labctl.errors.kind import Kind, Table

ENGINE: Table = {
    "engine-unreachable": Kind(
        EngineUnreachable,
        "no Docker engine answers at {endpoint}: {why}",
        "start it (`sudo systemctl start docker`, or Docker Desktop), or choose another by DOCKER_HOST or "
        "`docker context use`; in a checkout `make lab-up` installs and starts one",
        "Nothing listens where labctl looks for the engine, or it hung up.",
    ),
    "engine-permission": Kind(
        EngineError,
        "this user has no right to use the Docker socket {endpoint}",
        "join its group (`sudo usermod -aG docker $USER`, then log in again), or use rootless Docker",
        "The engine is there, but its socket is closed to this user.",
    ),
    "engine-endpoint": Kind(
        EngineError,
        "{where} names no usable Docker endpoint: {why}",
        "`docker context ls` shows the contexts; unset DOCKER_HOST and DOCKER_CONTEXT to use the local engine",
        "DOCKER_HOST or the Docker context can't be understood.",
    ),
    "engine-timeout": Kind(
        EngineTimeout,
        "the Docker engine did not answer within {seconds:g} s ({action})",
        "`labctl doctor` looks at the engine; a paused or overloaded machine answers late",
        "Every request to the engine has a limit, and this one reached it.",
    ),
    "compose-timeout": Kind(
        EngineTimeout,
        "Compose was not done within {seconds:g} s ({action})",
        "a file that it includes may be endless; or the machine is overloaded",
        "Compose reads the files of a topology, which takes it a tenth of a second, and has a limit for that.",
    ),
    "engine-refused": Kind(
        EngineRefused,
        "the Docker engine would not {action}: {why}",
        "",
        "The engine answered with an error of its own, which is repeated.",
    ),
    "docker-missing": Kind(
        EngineError,
        "the command `docker` is not on the PATH",
        "install it (Debian: docker-cli and docker-compose; Ubuntu: docker.io and docker-compose-v2; in a checkout "
        "`make lab-up` does so for root)",
        "labctl runs `docker compose` and `docker exec`, and found no client.",
    ),
    "docker-config": Kind(
        EngineError,
        "the command `docker` can't read its configuration {file}: {why}",
        "let HOME be this user's own folder (`sudo -H`, `su -`), or DOCKER_CONFIG one that it can read",
        "Docker's client then finds no Compose. After `sudo` or `su`, HOME is often another user's folder.",
    ),
    "compose-missing": Kind(
        EngineError,
        "Compose {minimum} or newer is needed, and {found}",
        "install docker-compose (Debian 13), docker-compose-v2 (Ubuntu) or docker-compose-plugin (Docker's packages)",
        "`docker compose` isn't there or is too old.",
    ),
    "compose-failed": Kind(
        ComposeFailed,
        "`docker compose {verb}` failed: {why}",
        "",
        "Compose answered with an error of its own, which is repeated.",
    ),
    "start-failed": Kind(
        ComposeFailed,
        "the lab can't be brought up: {why}",
        "",
        "What the topology needs is not there, or a node that others wait for has failed.",
    ),
    "compose-killed": Kind(
        EngineError,
        "`docker compose {verb}` was killed by {signal} before it had done its work",
        "the kernel does that where memory runs out (`dmesg` tells); if somebody did it, run the command again",
        "A signal ended Compose. Where it is its plugin that was killed, Docker's client doesn't tell by which.",
    ),
    "build-failed": Kind(
        EngineError,
        "building {what} failed: {why}; the step and its last lines:\n{step}",
        "mend what the step says; `labctl build` tries again without starting anything",
        "A step of a Dockerfile ended with an error, or the file can't be understood.",
    ),
    "base-image": Kind(
        EngineError,
        "no Debian base image could be had: {why}",
        "load one by hand (`docker pull debian:trixie-slim` or `docker load`), or install mmdebstrap",
        "The images are built on debian:trixie-slim, or on one made from Debian's packages; neither worked.",
    ),
    "image-missing": Kind(
        EngineError,
        "the image {image} of {node} is not there and could not be had: {why}",
        "build or pull it, or give the service a `build:` section",
        "The engine has no such image.",
    ),
    "disk-full": Kind(
        EngineError,
        "there is no space left on the disk: {why}",
        "`docker system df` shows what Docker keeps, `docker builder prune` frees its build cache",
        "The engine or labctl could not write.",
    ),
}
