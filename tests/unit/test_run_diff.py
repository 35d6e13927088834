"""Where two runs part first."""

from dataclasses import replace

import pytest
from click.testing import CliRunner
from saved_runs import ALICE, BOB, at, run_of

from labctl.bundle import bare, columns, file
from labctl.bundle.diff import LEFT_OUT, difference
from labctl.cli.app import command_line
from labctl.events.model import Event


def moved(run, by=3):
    """The same later, with other ids and from other ports."""
    events = [
        event._replace(ts=at(by * 1000 + place), fields={**event.fields, "id": f"other{place}"})
        for place, event in enumerate(run.events)
        if event.name != "fault"
    ]
    return replace(run, events=tuple(events))


def without_faults(run):
    return replace(run, events=tuple(event for event in run.events if event.name != "fault"))


def test_what_can_not_be_the_same_is_left_out_by_name():
    found = difference(without_faults(run_of()), moved(run_of()))
    assert found.same
    text = columns.drawn(found)
    assert text.startswith("the two runs are the same")
    assert all(what in text for what in LEFT_OUT)


def test_another_word_on_the_wire_is_where_they_part():
    found = difference(run_of(b"hello\n", b"bye\n"), run_of(b"hello\n", b"cya\n"))
    first = found.partings[0]
    assert first.what == "the wire, alice > bob:80 (tcp)"
    assert 'alice > bob  P. 7:11(4) "bye\\n"' in first.words
    assert '"cya\\n"' in first.words
    lines = columns.drawn(found).splitlines()
    row = next(line for line in lines if '"bye\\n"' in line and " | " in line)
    assert row.index('"bye') < row.index(" | ") < row.index('"cya')


def test_what_is_said_first_is_what_came_first():
    """Both journal and wire differ; the journal a second later."""
    a, b = run_of(b"hello\n", b"bye\n"), run_of(b"hello\n", b"cya\n")
    b = replace(b, events=(*b.events, Event(at(1200), "bob", "message", (BOB, 80), (ALICE, 1), {"text": "late"})))
    found = difference(a, b)
    assert [one.what for one in found.partings] == ["the wire, alice > bob:80 (tcp)", "what bob showed"]
    assert found.partings[1].words.startswith("what bob showed: B has message with alice 'late', and A nothing more")
    assert "after that, 1 more:" in columns.drawn(found)


def test_one_that_was_lost_in_one_run_alone():
    a = run_of(b"hello\n")
    b = replace(a, sides=run_of(b"hello\n").sides, events=a.events)
    bob = b.sides[1]
    b = replace(b, sides=(b.sides[0], replace(bob, arrived=[one for one in bob.arrived if not one.payload])))
    first = difference(a, b).partings[0]
    assert "retransmission" in first.words
    assert "lost" in first.b[first.place].text


def test_of_a_conversation_without_its_beginning_the_lower_port_is_the_servers():
    """Whichever of the two the first packet is from."""
    runs = []
    for said in (b"hello\n", b"other\n"):
        run = run_of(said)
        begin = [packet.ts_ns for packet in run.sides[0].sent][2]  # behind the handshake
        sides = [
            replace(
                side,
                sent=[one for one in side.sent if one.ts_ns > begin],
                arrived=[one for one in side.arrived if one.ts_ns > begin + 200_000],
            )
            for side in run.sides
        ]
        runs.append(replace(run, sides=tuple(sides)))
    assert [one.what for one in difference(*runs).partings] == ["the wire, alice > bob:80 (tcp)"]


def test_dates_and_addresses_in_texts_are_left_out():
    date = b"HTTP/1.1 200 OK\r\nDate: Sat, 28 Nov 2026 10:00:0%d GMT\r\nHost: 10.77.0.12\r\n\r\n"
    assert difference(run_of(date % 1), run_of(date % 2)).same
    other = (date % 1).replace(b"200 OK", b"404 No")
    assert not difference(run_of(date % 1), run_of(other)).same


def test_runs_without_payloads_are_compared_by_the_rest():
    a, b = run_of(b"hello\n"), bare.without_payload(run_of(b"world\n"))
    found = difference(a, b)
    assert found.same
    assert any("without" in what for what in found.left_out)


def test_nodes_that_were_recorded_in_one_alone_are_named():
    a = run_of()
    found = difference(a, replace(a, sides=a.sides[:1]))
    assert found.same
    assert any("packets of bob" in what for what in found.left_out)


def test_another_fault_and_another_node():
    a = run_of()
    rule = {"rule": "f1", "state": "set", "link": "alice:bob", "what": "drop 30%", "kind": "condition"}
    b, c = (
        replace(a, events=(Event(at(0), "alice", "rule", fields={**rule, "seed": seed}), *a.events)) for seed in (1, 2)
    )
    assert difference(b, c).partings[0].words == (
        "the faults: A has alice:bob: drop 30%, seed 1, and B alice:bob: drop 30%, seed 2"
    )
    less = replace(a, lab=a.lab._replace(nodes=a.lab.nodes[:1]))
    assert "the nodes" in {one.what for one in difference(a, less).partings}


@pytest.mark.parametrize(("words", "status"), [((b"hello\n",), 0), ((b"other\n",), 1)])
def test_the_command_ends_with_one_where_they_part(tmp_path, words, status):
    a, b = tmp_path / "a.labrun", tmp_path / "b.labrun"
    file.write(run_of(b"hello\n"), a)
    file.write(run_of(*words), b)
    done = CliRunner().invoke(command_line(), ["diff", str(a), str(b)])
    assert done.exit_code == status, done.output
    assert CliRunner().invoke(command_line(), ["diff", str(a), str(b), "--json"]).exit_code == status
