"""Who may ask the page's server for what."""

import pytest

from labctl.page.guard import Refused, allowed_hosts, check

HOSTS = allowed_hosts("127.0.0.1", 8099)
HOST = "127.0.0.1:8099"
GOOD = {
    "host": HOST,
    "origin": f"http://{HOST}",
    "sec-fetch-site": "same-origin",
    "content-type": "application/json",
    "x-labctl-token": "secret",
}


def status(method="POST", path="/api/act/type", **changes):
    """What a request is refused with; None where it isn't. None as a header's value: without it."""
    headers = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    try:
        check(method, path, headers, HOSTS, "secret")
    except Refused as refusal:
        return refusal.status
    return None


def named(**changes):
    return {name.replace("_", "-"): value for name, value in changes.items()}


def test_what_the_page_asks_is_answered():
    assert status() is None
    assert status("GET", "/api/stream", **named(origin=None, content_type=None)) is None
    assert status("GET", "/", **named(origin=None, x_labctl_token=None, sec_fetch_site="none")) is None
    assert status(host="localhost:8099", origin="http://localhost:8099") is None


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:8099",
        "127.0.0.1",
        "127.0.0.1:80",
        "127.0.0.1.evil.example:8099",
        "LOCALHOST:8099",
        "",
        "[::1]:8099",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_name_than_the_servers_own_is_refused(method, host):
    """DNS rebinding: a name of somebody else's that leads here. The browser sends that name as Host."""
    assert status(method, "/", host=host, origin=f"http://{host}") == 421


@pytest.mark.parametrize(
    "origin",
    [None, "null", "http://evil.example", "https://127.0.0.1:8099", "http://127.0.0.1:9", "http://localhost:8099"],
)
def test_what_changes_something_comes_from_the_page_alone(origin):
    assert status(origin=origin) == 403
    assert status("DELETE", origin=origin) == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_site_is_refused_also_where_it_only_reads(site):
    assert status(**named(sec_fetch_site=site)) == 403
    assert status("GET", **named(sec_fetch_site=site)) == 403


@pytest.mark.parametrize("token", [None, "", "secret2", "Secret", "secret, secret", "\u00e9"])
def test_without_the_token_nothing_of_the_lab_is_told(token):
    assert status("GET", "/api/stream", **named(x_labctl_token=token)) == 401
    assert status(**named(x_labctl_token=token)) == 401


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_form_of_another_page_is_no_json(kind):
    assert status(**named(content_type=kind)) == 415


def test_an_address_that_was_asked_for_has_its_own_name_alone():
    assert allowed_hosts("192.0.2.7", 80) == {"192.0.2.7:80", "192.0.2.7"}
    assert allowed_hosts("::1", 8000) == {"[::1]:8000", "localhost:8000"}
