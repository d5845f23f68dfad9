"""Asks a service whether it is ready, with nothing but a socket: the supervisor stays small."""

import asyncio
import time

ONE_ANSWER = 2.0
PAUSE = 0.05
PROJECTING = b'"projectors":true'


async def becomes_ready(host: str, port: int, patience: float) -> bool:
    """Return True once GET /readyz answers 200 and reports projectors, False after `patience` seconds.

    It waits for projectors, which an API process does not need, because users of a full installation read lists too.
    """
    end = time.monotonic() + patience
    while time.monotonic() < end:
        try:
            status, body = await asyncio.wait_for(_answer(host, port), ONE_ANSWER)
            if status == b"200" and PROJECTING in body:
                return True
        except (OSError, TimeoutError):
            pass
        await asyncio.sleep(PAUSE)
    return False


async def _answer(host: str, port: int) -> tuple[bytes, bytes]:
    """Status and body."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    finally:
        writer.close()
    return head.split(b" ")[1] if head.count(b" ") > 0 else b"", body
