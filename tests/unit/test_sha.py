"""Digests without OpenSSL are the same ones."""

import hashlib
import subprocess
import sys

import pytest

from labctl.sha import sha256


@pytest.mark.parametrize("data", [b"", b"a", bytes(range(256)) * 1000])
def test_it_is_sha_256(data):
    assert sha256(data).hexdigest() == hashlib.sha256(data).hexdigest()


def test_it_needs_no_openssl():
    code = "import sys; from labctl.sha import sha256; print('_hashlib' in sys.modules, sha256(b'').hexdigest()[:8])"
    got = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert got.stdout == "False e3b0c442\n"
