"""Where the page is served, and what is said where it can't be."""

import socket
import sys

import pytest

from labctl.errors import LabError
from labctl.page import serving


def refused(wanted):
    with pytest.raises(LabError) as raised, serving.served(lambda cancel: None, "lab", wanted):
        pass
    return raised.value


def test_without_the_extra_it_is_said_what_to_type(monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    problem = refused(serving.Wanted())
    assert problem.code == "page-extra"
    assert "uv tool install 'wirelab[page]'" in problem.hint


@pytest.mark.parametrize("listen", ["192.0.2.1", "here", "2001:db8::1"])
def test_an_address_that_is_none_of_this_machines(listen):
    problem = refused(serving.Wanted(listen=listen))
    assert problem.code == "page-address"
    assert listen in problem.message


def test_a_port_that_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as other:
        problem = refused(serving.Wanted(port=other.getsockname()[1]))
    assert problem.code == "page-address"
    assert "another program listens there" in problem.message


def test_each_run_has_a_token_of_its_own_which_is_not_shown():
    tokens = {serving.Wanted().token for _ in range(20)}
    assert len(tokens) == 20
    assert min(map(len, tokens)) >= 32
    assert "token" not in repr(serving.Wanted())
