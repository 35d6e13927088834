"""A chat as people read one."""

from __future__ import annotations

from labctl.lab.conversation import Said
from labctl.render.text import DIM, colour_of, fitted, paint, printable, quoted


def line(said: Said, *, columns: int | None, colour: bool) -> str:
    clock = said.ts[11:19] + "Z"  # UTC
    if said.kind == "message":
        head = f"{clock}  {said.source}: "
        # In quotes only where a terminal would act on something in it.
        text = said.text if said.text.isprintable() else quoted(said.text)
        body = fitted(text, max(20, columns - len(head))) if columns else text
        return f"{paint(clock, DIM, colour)}  {paint(said.source + ':', colour_of(said.source), colour)} {body}"
    word = "a conversation begins" if said.kind == "open" else f"it ends ({said.source}, {printable(str(said.reason))})"
    return paint(f"{clock}  -- {word}", DIM, colour)
