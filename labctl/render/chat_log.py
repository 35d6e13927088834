"""A chat as people read one."""

from __future__ import annotations

from labctl.lab.roles.chat_log import Said
from labctl.render.clock import clock
from labctl.render.text import DIM, colour_of, fitted, paint, printable, quoted


def line(said: Said, *, columns: int | None, colour: bool, local: bool = False) -> str:
    of_day = clock(said.ts, local=local)
    moment = of_day[:8] + of_day[15:]  # a conversation goes by seconds
    source = printable(said.source)  # it may be the address that a program says it has heard from
    if said.kind == "message":
        head = f"{moment}  {source}: "
        # In quotes only where a terminal would act on something in it.
        text = said.text if said.text.isprintable() else quoted(said.text)
        body = fitted(text, max(20, columns - len(head))) if columns else text
        return f"{paint(moment, DIM, colour)}  {paint(source + ':', colour_of(source), colour)} {body}"
    if said.kind == "missing":
        return paint(f"{moment}  -- of {source}: {printable(said.reason)}", DIM, colour)
    word = "a conversation begins" if said.kind == "open" else f"it ends ({source}, {printable(str(said.reason))})"
    return paint(f"{moment}  -- {word}", DIM, colour)
