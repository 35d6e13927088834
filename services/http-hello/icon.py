"""The icon of /favicon.ico: a socket with its two holes, drawn below, as an .ico file of 16 by 16 pixels."""

import struct

DRAWING = """
....########....
..############..
.##############.
.##############.
################
################
####..####..####
####..####..####
####..####..####
####..####..####
################
################
.##############.
.##############.
..############..
....########....
"""
COLOUR = (0xD6, 0x5A, 0x1F)  # blue, green, red


def draw() -> bytes:
    # A bitmap's rows go from the bottom to the top, one bit a pixel, each row filled up to 4 bytes.
    rows = [int(row.replace("#", "1").replace(".", "0"), 2) for row in reversed(DRAWING.split())]
    colour = b"".join(struct.pack(">HH", row, 0) for row in rows)
    transparent = b"".join(struct.pack(">HH", row ^ 0xFFFF, 0) for row in rows)
    palette = bytes(4) + bytes([*COLOUR, 0])
    bitmap = struct.pack("<IiiHHIIiiII", 40, 16, 32, 1, 1, 0, 0, 0, 0, 2, 0) + palette + colour + transparent
    return struct.pack("<HHHBBBBHHII", 0, 1, 1, 16, 16, 2, 0, 1, 1, len(bitmap), 22) + bitmap


ICON = draw()
