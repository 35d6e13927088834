"""What labctl says of packets and rules: whole sentences, some in parts, and what no table knows."""

SAID = [
    "lost: dropped by f1",
    "retransmission: by timeout, 211 ms after the last try",
    "duplicate by f2, 0.08 ms after the first",
    "seconds from 2026-01-31 12:00:00.000000001 UTC",
    "tcp 10.0.0.1:40000 > 10.0.0.2:80, handshake",
    "Delayed: 5 ms or more above the median of its flow's direction, and twice it.",
    "f1, f2 acted on 3 packets that the captures don't show.",
    "reset",
    "not in any table",
]
