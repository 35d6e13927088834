"""A node of a test's lab on somebody else's network, on the engine in memory."""

import pytest

import labctl
from labctl.errors import LabError
from labctl.testing.tested import TestedLab


def test_a_node_leaves_a_network_that_it_has_joined():
    engine = labctl.MemoryEngine()
    with labctl.up("hello", engine=engine) as made:
        lab = TestedLab(engine, made.name, record=False)
        network = engine.create_network("others", {}, "10.99.0.0/24")
        before = lab.snapshot().node("alice").addresses
        address = lab.connect("alice", network)
        assert address in str(lab.snapshot().node("alice").addresses)
        lab.disconnect("alice", network)
        assert lab.snapshot().node("alice").addresses == before
        with pytest.raises(LabError, match="leave others"):
            lab.disconnect("alice", network)
