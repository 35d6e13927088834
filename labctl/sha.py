"""SHA-256 without `hashlib`, which loads OpenSSL: that takes longer than all that `up` makes digests of.

The standard library has one of its own, by a name that differs between Python's versions (its `random` takes a digest
from there, too); where that was left out, hashlib's is taken.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as typing has it, which takes longer to import than this
if TYPE_CHECKING:
    from hashlib import sha256
else:
    try:
        from _sha256 import sha256  # 3.11
    except ImportError:
        try:
            from _sha2 import sha256  # 3.12 and later
        except ImportError:
            from hashlib import sha256

__all__ = ["sha256"]
