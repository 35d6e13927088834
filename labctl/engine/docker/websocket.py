"""The one half of the WebSocket protocol (RFC 6455) that labctl speaks: what a client writes.

Docker's engine has two ways to a container's keyboard. Of an upgraded connection it closes one direction at the end
and keeps the other, a descriptor of its own, until its garbage is collected; a WebSocket it closes for good.
"""

from __future__ import annotations

import base64
import os

BINARY = 0x82  # a whole message of bytes: FIN and opcode 2 (section 5.2)
MASKED = 0x80


def request_headers() -> list[str]:
    """The lines by which a request asks for a WebSocket (section 4.1)."""
    key = base64.b64encode(os.urandom(16)).decode()
    return ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}"]


def frame(data: bytes) -> bytes:
    """One message, masked as all of a client's are (section 5.3)."""
    size = len(data)
    if size < 126:
        head = bytes([BINARY, MASKED | size])
    elif size < 1 << 16:
        head = bytes([BINARY, MASKED | 126]) + size.to_bytes(2, "big")
    else:
        head = bytes([BINARY, MASKED | 127]) + size.to_bytes(8, "big")
    mask = os.urandom(4)
    pattern = (mask * (size // 4 + 1))[:size]
    masked = int.from_bytes(data, "big") ^ int.from_bytes(pattern, "big")
    return head + mask + masked.to_bytes(size, "big")
