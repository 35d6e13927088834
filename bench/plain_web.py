"""What asyncio's own streams make of an HTTP server that doesn't look at what is asked. Runs inside a container."""

import asyncio

BODY = b"Hello World, Michael!\n"
HEAD = (
    b"HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Length: %d\r\nVary: Accept\r\nCache-Control: no-store\r\n\r\n" % len(BODY)
)


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(HEAD + BODY)
            await writer.drain()
    except asyncio.IncompleteReadError:
        writer.close()


async def main() -> None:
    server = await asyncio.start_server(answer, "0.0.0.0", 8080)
    await server.serve_forever()


asyncio.run(main())
