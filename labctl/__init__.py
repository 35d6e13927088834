"""labctl: a socket lab."""

import sys

__version__ = "0.1.0"

if sys.argv and sys.argv[0].endswith(("/labctl", "\\labctl", "/wirelab", "/labctl/__main__.py")):
    # This is labctl, and no program that uses it. Until there is something to take back, ^C just ends it: importing the
    # rest takes longer than fingers do. By the module in C: the other one has its own imports.
    import _signal  # type: ignore[import-not-found]

    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
