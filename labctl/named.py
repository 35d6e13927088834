"""`typing.NamedTuple` at half its price.

typing compiles the annotation of each field, to have a ForwardRef where nobody asks for one: of the 0.2 ms that a class
takes that is more than half, and a command makes some 60 of them before it does anything. Here annotations stay the
strings that they are in a module with `from __future__ import annotations`; all else is collections.namedtuple's, and
to type checkers it is typing's own.
"""

from __future__ import annotations

from collections import namedtuple

TYPE_CHECKING = False  # as typing has it, which takes longer to import than this
if TYPE_CHECKING:
    from typing import Any
    from typing import NamedTuple as NamedTuple
else:

    class _Fields(type):
        """Makes of a class's annotations the fields of a tuple, and gives that the class's methods."""

        def __new__(cls, name: str, bases: tuple[Any, ...], body: dict[str, Any]) -> type:
            fields = body["__annotations__"]
            # What has a value comes last, as among a function's parameters: namedtuple counts values from the end.
            values = {field: body.pop(field) for field in fields if field in body}
            if tuple(values) != tuple(fields)[len(fields) - len(values) :]:
                raise TypeError(f"{name} has a field without a value behind one with a value")
            made = namedtuple(name, fields, defaults=values.values(), module=body["__module__"])
            for key, what in body.items():
                if key not in _OWN:
                    setattr(made, key, what)
            return made

    # What a class's body holds that is none of its methods, or is told to namedtuple.
    _OWN = frozenset({"__module__", "__qualname__"})
    NamedTuple = type.__new__(_Fields, "NamedTuple", (), {})
