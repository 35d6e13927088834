"""Where a test may be left out, and where it may not."""

import os

import lacking
import pytest


@pytest.mark.parametrize(
    ("ci", "user", "host", "fails"),
    [
        ("true", 1000, "unix:///nowhere", True),
        ("", 0, "unix:///nowhere", True),
        ("", 0, "ssh://far", False),
        ("", 1000, "unix:///nowhere", False),
    ],
)
def test_what_is_lacking_fails_where_all_is_to_be_tried(monkeypatch, ci, user, host, fails):
    monkeypatch.setenv("CI", ci)
    monkeypatch.setenv("DOCKER_HOST", host)
    monkeypatch.setattr(os, "getuid", lambda: user)
    with pytest.raises(pytest.fail.Exception if fails else pytest.skip.Exception, match="no such thing"):
        lacking.lacking("no such thing")
