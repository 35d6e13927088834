"""What a container sees of volumes, of the machine's files, and of memory."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

Mount = dict[str, Any]


def binds_and_mounts(
    service: Mapping[str, Any],
    config: Mapping[str, Any],
    inherited: Sequence[Mapping[str, Any]] = (),
    declared: Collection[str] = (),
) -> tuple[list[str], list[Mount]]:
    """The HostConfig's Binds and Mounts. `inherited` are the mounts of a container that this one takes the place of, as
    the engine tells them; `declared` are the image's own volumes. What has no name goes over from the one to the other.
    """
    found: dict[str, Mount] = {}
    volumes: list[Mapping[str, Any]] = list(service.get("volumes") or ())
    for item in inherited:
        if item["Type"] == "tmpfs":
            continue
        target = posixpath.normpath(item["Destination"])
        nameless = [one for one in volumes if one["target"] == target and not one.get("source")]
        if nameless or target in declared:
            source = item["Name"] if item["Type"] == "volume" else item["Source"]
            found[target] = {"Type": item["Type"], "Source": source, "Target": target, "ReadOnly": not item["RW"]}
        volumes = [one for one in volumes if one not in nameless]
    for mount in _volumes(volumes, config):
        found[mount["Target"]] = mount
    for mount in (*_files("secrets", "/run/secrets/", service, config), *_files("configs", "/", service, config)):
        found.setdefault(mount["Target"], mount)
    binds: list[str] = []
    mounts: list[Mount] = []
    for mount in found.values():
        bind = _bind(mount, volumes)
        if bind:
            binds.append(bind)
        else:
            mounts.append(mount)
    return sorted(binds), sorted(mounts, key=lambda mount: str(mount["Target"]))


def _volumes(volumes: Sequence[Mapping[str, Any]], config: Mapping[str, Any]) -> Iterator[Mount]:
    known = config.get("volumes") or {}
    for item in volumes:
        kind, source = item["type"], str(item.get("source") or "")
        mount: Mount = {
            "Type": kind,
            "Source": source,
            "Target": posixpath.normpath(item["target"]),
            "ReadOnly": bool(item.get("read_only")),
        }
        if item.get("consistency"):
            mount["Consistency"] = item["consistency"]
        named = known.get(source) if kind == "volume" else None
        if named:
            mount["Source"] = str(named["name"])
        if named and (named.get("driver_opts") or {}).get("o") == "bind":
            mount |= {"Type": "bind", "BindOptions": {}}
        elif kind == "bind" and item.get("bind") is not None:
            mount["BindOptions"] = {"Propagation": item["bind"].get("propagation") or ""}
        elif kind == "volume" and item.get("volume") is not None:
            mount["VolumeOptions"] = {"NoCopy": bool(item["volume"].get("nocopy"))}
        elif kind == "tmpfs" and item.get("tmpfs") is not None:
            sizes = item["tmpfs"]
            mount["TmpfsOptions"] = {"SizeBytes": int(sizes.get("size") or 0), "Mode": int(sizes.get("mode") or 0)}
        yield mount


def _files(kind: str, folder: str, service: Mapping[str, Any], config: Mapping[str, Any]) -> Iterator[Mount]:
    """Secrets and configs are files of the machine, which the container sees read-only."""
    for item in service.get(kind) or ():
        target = str(item.get("target") or item["source"])
        target = target if target.startswith("/") else folder + target
        source = str(config[kind][item["source"]]["file"])
        yield {"Type": "bind", "Source": source, "Target": posixpath.normpath(target), "ReadOnly": True}


def _bind(mount: Mount, volumes: Sequence[Mapping[str, Any]]) -> str | None:
    """The mount as one text, where Compose writes it so: then the engine makes a folder that is missing."""
    if mount["Type"] != "bind":
        return None
    for item in volumes:
        if item["target"] != mount["Target"]:
            continue
        options = item.get("bind") or {}
        renamed = item["type"] != "bind"
        if renamed or options.get("create_host_path"):
            source = mount["Source"] if renamed else str(item["source"])
            access = ["ro" if item.get("read_only") else "rw", options.get("selinux"), options.get("propagation")]
            access += ["nocopy"] if (item.get("volume") or {}).get("nocopy") else []
            return f"{source}:{item['target']}:{','.join(filter(None, access))}"
    return None
