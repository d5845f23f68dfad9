"""Asks the API whether it is ready. It uses a plain socket, so that the supervisor loads no HTTP client."""

import asyncio
import time

ANSWER_TIMEOUT = 2.0  # seconds
PAUSE = 0.05  # seconds
PROJECTING = b'"projectors":true'


async def becomes_ready(host: str, port: int, patience: float) -> bool:
    """Return True once GET /readyz answers 200 and reports projectors, False after `patience` seconds.

    It waits for projectors, which an API process does not need, because users of a full installation read lists too.
    """
    end = time.monotonic() + patience
    while time.monotonic() < end:
        try:
            status, body = await asyncio.wait_for(_answer(host, port), ANSWER_TIMEOUT)
            if status == b"200" and PROJECTING in body:
                return True
        except (OSError, TimeoutError):
            pass
        await asyncio.sleep(PAUSE)
    return False


async def _answer(host: str, port: int) -> tuple[bytes, bytes]:
    """Return the status and the body of GET /readyz."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    finally:
        writer.close()
    return head.split(b" ")[1] if head.count(b" ") > 0 else b"", body
