"""Asks a service whether it is ready, with nothing but a socket: the supervisor stays small."""

import asyncio
import time

ONE_ANSWER = 2.0
PAUSE = 0.05


async def becomes_ready(host: str, port: int, patience: float) -> bool:
    """True as soon as GET /readyz answers 200, False when it has not within the patience (seconds)."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        try:
            if await asyncio.wait_for(_status(host, port), ONE_ANSWER) == b"200":
                return True
        except (OSError, TimeoutError):
            pass
        await asyncio.sleep(PAUSE)
    return False


async def _status(host: str, port: int) -> bytes:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        line = await reader.readline()
    finally:
        writer.close()
    return line.split(b" ")[1] if line.count(b" ") > 0 else b""
