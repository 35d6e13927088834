"""The raw requests of gunicorn's own test suite, from the source package that its authors publish.

Nothing of it is kept here: pip fetches the pinned version, once, into tests/out.
"""

import hashlib
import subprocess
import sys
import tarfile
from pathlib import Path

NAME, VERSION = "gunicorn", "27.0.1"
SHA256 = "b1514965361c8b7e8107a80aa2a92636878df1ccfac6dd204a676426e04d9e3e"
FOLDER = Path(__file__).parents[1] / "out" / "corpus"
PLACE = "tests/requests/"
ATTEMPTS = 3
LIMIT = 120  # seconds
# How its files write what a line can't hold (their tests/treq.py); line ends of the files themselves mean nothing.
WRITTEN = (("\n", ""), ("\\r\\n", "\r\n"), ("\\0", "\0"), ("\\n", "\n"), ("\\t", "\t"), ("\\r", "\r"))


def requests() -> dict[str, bytes]:
    """The bytes of each request, by its file's name in the package; an OSError says why they can't be had."""
    found = {}
    with tarfile.open(_archive()) as archive:
        for member in archive:
            _, _, name = member.name.partition(PLACE)
            if name.endswith(".http") and (file := archive.extractfile(member)):
                found[name] = _bytes(file.read().decode("latin-1"))
    return found


def _bytes(text: str) -> bytes:
    for written, meant in WRITTEN:
        text = text.replace(written, meant)
    return text.encode("latin-1")


def _archive() -> Path:
    file = FOLDER / f"{NAME}-{VERSION}.tar.gz"
    said = ""
    for _ in range(ATTEMPTS):
        if not _is_there(file):
            file.unlink(missing_ok=True)
            said = _fetch()
    if not _is_there(file):
        raise OSError(f"the source package of {NAME} {VERSION} could not be had from PyPI; pip said: {said}")
    return file


def _is_there(file: Path) -> bool:
    return file.exists() and hashlib.sha256(file.read_bytes()).hexdigest() == SHA256


def _fetch() -> str:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--no-binary", NAME, "--dest", str(FOLDER), f"{NAME}=={VERSION}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False)
    except subprocess.TimeoutExpired:
        return f"nothing within {LIMIT} s"
    return (done.stderr.strip() or "nothing").splitlines()[-1]
