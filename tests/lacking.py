"""What a test needs and a machine may not have: a reason to skip at home, and a failure where all is to be tried."""

import os
from typing import NoReturn

import pytest

from labctl.engine.docker import endpoint


def everything_is_to_be_tried() -> bool:
    """In CI, and where root runs the tests beside an engine of this machine: what is missing there is a mistake."""
    return bool(os.environ.get("CI")) or (os.getuid() == 0 and endpoint.find().is_local)


def lacking(why: str) -> NoReturn:
    if everything_is_to_be_tried():
        pytest.fail(f"{why}; here it must be there")
    pytest.skip(why)
