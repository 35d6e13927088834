"""Routers: the kernel forwards, the program only says so. No command is theirs alone."""

from __future__ import annotations

from labctl.lab.roles.role import Role

ROUTER = Role("router", "a router", forwards=True)
ROLES = (ROUTER,)
