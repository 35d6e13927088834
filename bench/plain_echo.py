"""What asyncio's own streams make of an echo server, with nothing around it. Runs inside a container, by itself."""

import asyncio


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def main() -> None:
    server = await asyncio.start_server(echo, "0.0.0.0", 7)
    await server.serve_forever()


asyncio.run(main())
