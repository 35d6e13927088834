"""Recording what a node sends and what arrives at it, with the kernel's own times.

The package runs in a probe, a helper container in the node's network namespace, and needs NET_ADMIN and NET_RAW there.
Four taps are recorded (docs/capture.md says why these):

    in     what arrived on an interface
    out    what left on an interface, where no fault was in force for it: so this is also what was sent
    left   what left on an interface after faults had their way with it
    sent   what was sent before any fault, where faults are in force
"""

IN, OUT, LEFT, SENT = "in", "out", "left", "sent"
STATE = "recorder:state"  # no tap, but what the recorder says of itself
