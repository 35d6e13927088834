"""The lines of a chunked body, as http-hello checks them beside h11."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "services" / "http-hello"))

import chunks


@pytest.mark.parametrize("size", [b"-6", b"-5", b"+5", b"0x5", b"5_0", b" 5", b"", b"g", b";a", b"1" * 21])
def test_what_is_no_size(size):
    """A negative one must not lead back to what was read already."""
    with pytest.raises(ValueError, match="no size"):
        chunks.Chunks().feed(size + b"\r\n")


@pytest.mark.parametrize("piece", [1, 2, 3, 100])
def test_a_body_in_pieces(piece):
    body = b"5\r\nhello\r\nA;name=value\r\n0123456789\r\n00 \r\nTrailer: a\rb\r\n\r\n"
    following = chunks.Chunks()
    for at in range(0, len(body), piece):
        following.feed(body[at : at + piece])
