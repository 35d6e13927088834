"""What the store and its client do when the network, or one of them, fails: seen on the wire at both ends.

pip install wirelab pytest
pytest
"""

import pytest

from labctl.testing import eventually

pytestmark = pytest.mark.lab("../compose.yaml", record=True, scope="module")


@pytest.fixture
def type_at_app(lab):
    """`type_at_app("get a", "a = 1")`: what is typed at the client, and what it has to print."""

    def type_(line: str, answer: str, within: float = 10.0) -> None:
        lab.node("app").type(line)
        lab.expect(f"app log '{answer}'", within=within)

    return type_


def test_one_connection_serves_all_requests(lab, type_at_app):
    lab.node("app").restart()
    type_at_app("set colour red", "colour is set")
    type_at_app("get colour", "colour = red")
    type_at_app("get shape", "shape is not set")
    assert lab.wire("app", "store").handshakes == 1
    lab.wire("app", "store").expect(r"""
        ignore acks
        app:$port > store:7000  S
        store:7000 > app:$port  S.
        app > store  .
        app > store  P. "SET colour 3\nred\n"
        store > app  P. "OK\n"
        app > store  P. "GET colour\n"
        store > app  P. "VALUE 3\nred\n"
        app > store  P. "GET shape\n"
        store > app  P. "NONE\n"
    """)


def test_a_lost_request_is_sent_again_by_tcp(lab, type_at_app):
    type_at_app("set a 1", "a is set")
    lab.link("app:store").drop("tcp data 1")
    type_at_app("get a", "a = 1")
    assert (lab.wire("app", "store").lost, lab.wire("app", "store").retransmissions) == (1, 1)
    assert lab.wire("app", "store").handshakes == 0  # nobody has noticed


def test_a_reset_makes_the_client_connect_again(lab, type_at_app):
    type_at_app("set a 2", "a is set")
    lab.link("app:store").reset("tcp data 1")
    type_at_app("get a", "a = 2")
    lab.wire("app", "store").expect(r"""
        ignore acks
        *
        app > store  S
        store > app  S.
        app > store  .
        app > store  P. "GET a\n"
        store > app  P. "VALUE 1\n2\n"
    """)


def test_a_half_closed_connection_gets_all_answers(lab):
    values = "".join(f"key{number} {'x' * number}\n" for number in range(1, 101))
    done = lab.node("app").exec("python3", "kv.py", "load", "--host", "store", input=values.encode())
    assert done.output == b"100 values are set\n"
    ends = [one for one in lab.wire("app", "store").packets if one.segment and one.segment.kind == "fin"]
    # TCP sends one again where its answer takes a while.
    ends = [one for one in ends if not any("retransmission" in str(mark) for mark in one.marks)]
    assert [lab.wire("app", "store").handshakes, len(ends)] == [1, 2]
    assert [one.rightwards for one in ends] == [True, False]  # the client's half first, the server's once all is said


def test_the_client_survives_a_restart_of_the_server(lab, type_at_app):
    type_at_app("set a 3", "a is set")
    lab.node("store").restart()
    type_at_app("get a", "a is not set", within=20)  # it kept nothing, and says so
    eventually(lambda: lab.wire("app", "store").handshakes == 1)
