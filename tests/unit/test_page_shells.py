"""A shell's terminal, as the page reads and types it; the shell itself is tried in tests/e2e/test_page.py."""

import asyncio
import os
import pty
import subprocess

from labctl.page.shells import Shell, Shells


def test_reading_waits_without_holding_up_all_else():
    """It is woken for what it has read already, too."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen(["cat"], stdin=theirs, stdout=theirs)
    os.close(theirs)
    os.set_blocking(ours, False)
    shells = Shells("lab")
    shells._open["x"] = Shell(child, ours)

    async def talk():
        seen = b""
        shown = shells.shown("x")
        for number in range(20):
            await asyncio.to_thread(shells.find("x").type, f"line {number}\n".encode())
            while seen.count(b"line %d\r\n" % number) < 2:  # the terminal's echo, and cat's own
                seen += await asyncio.wait_for(anext(shown), 10)
            await asyncio.sleep(0)
        await shown.aclose()

    asyncio.run(talk())
    assert child.poll() is not None, "who stops reading ends it"
