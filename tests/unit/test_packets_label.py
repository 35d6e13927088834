"""What stands on an arrow."""

import pytest
from traffic import icmp, packed, packet

from labctl.packets.ladder.label import label

SIX, GROUP, ASKED = "fd00:77::11", "ff02::1:ff00:99", "fd00:77::99"


@pytest.mark.parametrize(
    ("kind", "rest", "head", "parts"),
    [
        (135, bytes(4) + packed(ASKED), "ICMPv6 neighbour solicitation", (f"who has {ASKED}?",)),
        (136, bytes(4) + packed(ASKED), "ICMPv6 neighbour advertisement", (f"of {ASKED}",)),
        (135, bytes(4) + packed(ASKED)[:9], "ICMPv6 neighbour solicitation", ()),
        (133, bytes(20), "ICMPv6 router solicitation", ()),
        (128, b"\0\7\0\1" + bytes(16), "ICMPv6 echo request", ("id 7", "seq 1")),
    ],
)
def test_neighbour_discovery_says_whom_it_is_about(kind, rest, head, parts):
    found = label(packet(icmp(SIX, GROUP, kind, 0, rest)), None)
    assert (found.head, found.parts) == (head, parts)
