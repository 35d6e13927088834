"""Source packages of others on PyPI, for what lies in them: captures, and the raw requests of gunicorn's own tests.

Nothing of them is kept here: pip fetches the pinned version, once, into tests/out.
"""

import hashlib
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parents[1] / "out" / "corpus"
PLACE = "tests/requests/"
ATTEMPTS = 3
LIMIT = 120  # seconds
# How its files write what a line can't hold (their tests/treq.py); line ends of the files themselves mean nothing.
WRITTEN = (("\n", ""), ("\\r\\n", "\r\n"), ("\\0", "\0"), ("\\n", "\n"), ("\\t", "\t"), ("\\r", "\r"))


class Package(NamedTuple):
    name: str
    version: str
    sha256: str

    @property
    def file(self) -> Path:
        return FOLDER / f"{self.name}-{self.version}.tar.gz"


GUNICORN = Package("gunicorn", "27.0.1", "b1514965361c8b7e8107a80aa2a92636878df1ccfac6dd204a676426e04d9e3e")


def requests() -> dict[str, bytes]:
    """The bytes of each request, by its file's name in the package; an OSError says why they can't be had."""
    found = {}
    with tarfile.open(archive(GUNICORN)) as packed:
        for member in packed:
            _, _, name = member.name.partition(PLACE)
            if name.endswith(".http") and (file := packed.extractfile(member)):
                found[name] = _bytes(file.read().decode("latin-1"))
    return found


def _bytes(text: str) -> bytes:
    for written, meant in WRITTEN:
        text = text.replace(written, meant)
    return text.encode("latin-1")


def archive(package: Package) -> Path:
    """The package's file; an OSError says why it can't be had."""
    said = ""
    for _ in range(ATTEMPTS):
        if not _is_there(package):
            package.file.unlink(missing_ok=True)
            said = _fetch(package)
    if not _is_there(package):
        raise OSError(
            f"the source package of {package.name} {package.version} could not be had from PyPI; pip said: {said}"
        )
    return package.file


def _is_there(package: Package) -> bool:
    return package.file.exists() and hashlib.sha256(package.file.read_bytes()).hexdigest() == package.sha256


def _fetch(package: Package) -> str:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    # Of this one alone: pip asks it for its metadata, and what builds that is to be had as a wheel.
    command += ["--no-binary", package.name, "--dest", str(FOLDER), f"{package.name}=={package.version}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False)
    except subprocess.TimeoutExpired:
        return f"nothing within {LIMIT} s"
    return (done.stderr.strip() or "nothing").splitlines()[-1]
