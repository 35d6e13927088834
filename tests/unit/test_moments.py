"""Times as people type them, and as they are printed."""

import os
import time

import pytest

from labctl.cli.context import ago
from labctl.events import moments
from labctl.events.codec import stamp_of
from labctl.faults import conditions
from labctl.render.clock import clock

NOW = 1_769_860_800_123_456_789  # 2026-01-31T12:00:00.123456789Z
assert stamp_of(NOW) == "2026-01-31T12:00:00.123456789Z"


@pytest.fixture
def zone():
    """A zone of its own for the test, three and a half hours ahead of UTC."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "XYZ-3:30"
    time.tzset()
    yield
    os.environ.pop("TZ") if before is None else os.environ.update(TZ=before)
    time.tzset()


def at(text: str, **options) -> str | None:
    found = moments.moment(text, NOW, **options)
    return None if found is None else stamp_of(found)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("90s", "2026-01-31T11:58:30.123456789Z"),
        ("1d", "2026-01-30T12:00:00.123456789Z"),
        ("1h30m", "2026-01-31T10:30:00.123456789Z"),
        ("500ms", "2026-01-31T11:59:59.623456789Z"),
        ("11:18:00", "2026-01-31T11:18:00.000000000Z"),
        ("11:18:00.123456", "2026-01-31T11:18:00.123456000Z"),
        ("11:18:00.123456Z", "2026-01-31T11:18:00.123456000Z"),
        ("11:18", "2026-01-31T11:18:00.000000000Z"),
        ("21:18:00", "2026-01-30T21:18:00.000000000Z"),  # today's is yet to come
        ("13:18:00+02:00", "2026-01-31T11:18:00.000000000Z"),
        ("2026-01-31", "2026-01-31T00:00:00.000000000Z"),
        ("2026-01-31T12:00:00.5Z", "2026-01-31T12:00:00.500000000Z"),
        ("2026-01-31t12:00:00z", "2026-01-31T12:00:00.000000000Z"),
        ("2026-01-31 12:00:00", "2026-01-31T12:00:00.000000000Z"),
        ("2026-01-31T12:00:00+05:30", "2026-01-31T06:30:00.000000000Z"),
        ("2026-01-31T12:00:00-0800", "2026-01-31T20:00:00.000000000Z"),
    ],
)
def test_a_time_in_any_of_its_spellings(text, meant):
    assert at(text) == meant


@pytest.mark.parametrize(
    "text", ["", "yesterday", "5", "5 m", "-5s", "25:00:00", "2026-02-30", "12:00:00+99:00", "Z", "T12:00", "12", "1y"]
)
def test_what_is_no_time(text):
    assert at(text) is None


def test_with_local_a_time_without_a_zone_is_the_machines_own(zone):
    assert at("13:18:00", local=True) == "2026-01-31T09:48:00.000000000Z"
    assert at("2026-01-31", local=True) == "2026-01-30T20:30:00.000000000Z"
    assert at("11:18:00Z", local=True) == "2026-01-31T11:18:00.000000000Z"


def test_what_is_printed_can_be_typed(zone):
    shown = clock("2026-01-31T11:18:00.123456789Z")
    assert shown == "11:18:00.123456Z"
    assert at(shown) == "2026-01-31T11:18:00.123456000Z"
    local = clock("2026-01-31T11:18:00.123456789Z", local=True)
    assert local == "14:48:00.123456+03:30"
    assert at(local) == "2026-01-31T11:18:00.123456000Z"


@pytest.mark.parametrize("day", ["0001-01-01T00:00:00", "9999-12-31T23:59:59"])
def test_a_time_at_the_end_of_time_is_shown(zone, day):
    """Any program can write one to its journal."""
    assert clock(f"{day}.000000000Z", local=True)[:2] in ("00", "03", "23")


def test_a_span_longer_than_time_is_from_its_beginning():
    assert moments.moment("9" * 400 + "d", NOW) == 0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500us", 0.0005), ("40ms", 0.04), ("1m30s", 90), ("1d", 86400), ("1.5h", 5400), ("1w", 604800)],
)
def test_every_option_reads_a_span_alike(text, seconds):
    """What `--since` takes, `--last`, `--for`, `--delay` and `--interval` take; only their limits differ."""
    assert moments.span(text) == pytest.approx(seconds)
    if seconds >= 0.01:
        assert conditions.span("--for", text) == pytest.approx(seconds)
        assert ago("--last", text) == pytest.approx(seconds)
    if seconds <= conditions.LONGEST:
        assert conditions.seconds("delay", text) == pytest.approx(seconds)
