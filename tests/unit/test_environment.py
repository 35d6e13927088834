"""The environment, as it is while somebody else changes it."""

import os

from labctl import environment


class Changing(dict):
    """An environment out of which another thread takes a variable while it is read."""

    def __iter__(self):
        names = list(super().__iter__())
        self.pop("PYTEST_CURRENT_TEST", None)
        return iter(names)


def test_a_variable_may_go_while_all_are_asked_for(monkeypatch):
    monkeypatch.setattr(os, "environ", Changing(HOME="/root", PYTEST_CURRENT_TEST="this"))
    assert environment.variables() == {"HOME": "/root"}
