"""labctl for pytest: labs as fixtures, and what both ends of the wire must show (docs/pytest.md).

The plugin (labctl/testing/plugin.py) is loaded by pytest itself; what a test imports is here.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from labctl.testing.tested import TestedLab, TestedLink
    from labctl.testing.waiting import eventually

__all__ = ["TestedLab", "TestedLink", "eventually"]

_PLACES = {
    "TestedLab": "labctl.testing.tested",
    "TestedLink": "labctl.testing.tested",
    "eventually": "labctl.testing.waiting",
}


def __getattr__(name: str) -> object:
    """PEP 562."""
    if name not in _PLACES:
        raise AttributeError(f"module 'labctl.testing' has no attribute {name!r}")
    from importlib import import_module

    found = globals()[name] = getattr(import_module(_PLACES[name]), name)
    return found
