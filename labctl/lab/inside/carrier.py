"""Reads and writes a node's files from a helper container in the node's process namespace, where its whole file tree is
to be seen: volumes and file systems in memory with it, as the node's programs see them.

It is text given to `python3 -c`: nothing of labctl can be imported there. `carrier.py get PATH FOLLOW` writes a tar
archive, whose names all begin with one folder or file; `carrier.py put PATH KIND NAME` takes one: KIND is `file` or
`folder` (the archive's first name becomes PATH, or NAME in the folder PATH), `contents` (it becomes the folder PATH) or
`archive` (all names stand under the folder PATH). An error is one line of JSON on stderr.
"""

import errno
import io
import json
import os
import stat
import sys
import tarfile

ROOT = "/proc/1/root"
MOST_UNSIZED = 16 << 20  # bytes
# What a node can't hold files in, though it may be written to.
NO_PLACES = ("/proc", "/sys", "/dev/pts", "/dev/mqueue")


class Refused(Exception):
    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


def get(path: str, follow: bool) -> None:
    path = os.path.realpath(path) if follow else path
    name = os.path.basename(path.rstrip("/.")) or "root"
    with tarfile.open(fileobj=sys.stdout.buffer, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        _add(tar, path, name)
        folders = [(path, name)] if os.path.isdir(path) and (not os.path.islink(path) or path.endswith("/")) else []
        while folders:
            folder, inner = folders.pop()
            for entry in sorted(os.scandir(folder), key=lambda found: found.name):
                _add(tar, entry.path, f"{inner}/{entry.name}")
                if entry.is_dir(follow_symlinks=False):
                    folders.append((entry.path, f"{inner}/{entry.name}"))


def _add(tar: tarfile.TarFile, path: str, name: str) -> None:
    found = os.stat(path) if path.endswith("/") else os.lstat(path)
    if stat.S_ISSOCK(found.st_mode):
        return  # an archive can't hold one
    tar.inodes = {}  # type: ignore[attr-defined]  # each hard link as the file that it is
    info = tar.gettarinfo(path, name)  # `link/` is what the link leads to
    if not info.isreg():
        tar.addfile(info)
        return
    with open(path, "rb", opener=_opened) as file:
        if info.size == 0:  # of /proc and /sys, whose files say nothing of their size
            data = file.read(MOST_UNSIZED) or b""  # of one that has nothing yet, None
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        else:  # one that grows meanwhile: as long as it was
            tar.addfile(info, file)


def _opened(path: str, flags: int) -> int:
    """A pipe that somebody has put there keeps nobody waiting."""
    return os.open(path, flags | os.O_NONBLOCK)


def put(path: str, kind: str, name: str) -> None:
    base = _base(path, kind, name)
    with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as tar:
        for member in tar:
            inner = _parts(member.name)
            if kind != "archive":
                inner = inner[1:]
            if ".." in inner:
                raise Refused("EINVAL", f"the archive holds {member.name}, which leads out of it")
            _extract(tar, member, base, inner)


def _base(path: str, kind: str, name: str) -> str:
    if os.path.isdir(path):
        return path if kind in ("archive", "contents") else os.path.join(path, name)
    if kind == "archive" or (path.endswith("/") and kind == "file"):
        code = errno.ENOTDIR if os.path.lexists(path.rstrip("/")) else errno.ENOENT
        raise OSError(code, os.strerror(code), path)
    if os.path.lexists(path) and kind != "file":
        raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
    return path.rstrip("/")


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, base: str, inner: list[str]) -> None:
    place = base
    for part in inner[:-1]:
        place = os.path.join(place, part)
        if os.path.islink(place):
            raise Refused("EINVAL", f"the archive holds {member.name}, and {place} is a link")
        if not os.path.isdir(place):
            os.mkdir(place)
    target = os.path.join(base, *inner)
    if member.isdir():
        if not os.path.isdir(target):
            os.mkdir(target)
            os.chmod(target, member.mode & 0o777)
        return
    # What the caller named may be a link to the file that is meant; what stands within a folder is replaced.
    if inner and os.path.lexists(target) and not os.path.isdir(target):
        os.unlink(target)
    if member.issym():
        os.symlink(member.linkname, target)
    elif member.isreg():
        source = tar.extractfile(member)
        assert source
        with open(target, "wb", opener=_opened) as file:
            while piece := source.read(1 << 20):
                file.write(piece)
        os.chmod(target, member.mode & 0o777)
    elif member.islnk():
        first = _parts(member.linkname)
        if ".." in first:
            raise Refused("EINVAL", f"the archive holds {member.linkname}, which leads out of it")
        os.link(os.path.join(base, *first[len(_parts(member.name)) - len(inner) :]), target, follow_symlinks=False)


def _parts(name: str) -> list[str]:
    return [part for part in name.split("/") if part not in ("", ".")]


def writable() -> list[str]:
    """The places of other file systems than the root's that may be written to; the root itself, where it may."""
    found = []
    with open("/proc/1/mounts") as file:
        for line in file:
            _, place, kind, options = line.split()[:4]
            writes = "rw" in options.split(",")
            if writes and kind not in ("proc", "sysfs", "cgroup", "cgroup2") and not place.startswith(NO_PLACES):
                found.append(place)
    return [place for place in found if place not in ("/dev", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf")]


def main(arguments: list[str]) -> int:
    places = writable()
    # Names of users would be looked up as the node says, by a library of its own: in its /etc/nsswitch.conf.
    tarfile.pwd = tarfile.grp = None  # type: ignore[attr-defined]
    "".encode("utf-8", "surrogateescape").decode("ascii", "ignore")  # loaded while they can be
    os.chroot(ROOT)
    os.chdir("/")
    os.umask(0o022)
    try:
        if arguments[0] == "get":
            get(arguments[1], arguments[2] == "1")
        else:
            put(*arguments[1:4])
        sys.stdout.flush()
        return 0
    except Refused as problem:
        code, reason, path = problem.code, problem.reason, ""
    except tarfile.TarError as problem:
        code, reason, path = "EINVAL", f"that is no tar archive: {problem}", ""
    except OSError as problem:
        code, reason = errno.errorcode.get(problem.errno or 0, "EIO"), problem.strerror or str(problem)
        path = str(problem.filename or "")
    print(json.dumps({"error": code, "reason": reason, "path": path, "writable": places}), file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
