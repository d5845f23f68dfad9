"""A transport that sends the head and the body of an answer together.

uvicorn writes them one after the other. Each write is a system call that wakes the client, which can do nothing with a
head alone.
"""

import asyncio
from typing import Any

MAX_JOINED = 16 * 1024
"""Bytes of a body that is joined with the head; copying a larger one costs more than a system call."""


class JoinedWrites:
    """Passes everything on to a transport, but keeps a small write until the next one, `flush` or the loop's turn."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._kept = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write the data together with what was kept; without that keep them, if they are small."""
        if self._kept and len(data) <= MAX_JOINED:
            kept, self._kept = self._kept, b""
            self._transport.write(kept + data)
        elif len(data) <= MAX_JOINED:
            self._kept = data
            self._loop.call_soon(self.flush)
        else:
            self.flush()
            self._transport.write(data)

    def flush(self) -> None:
        """Write what was kept."""
        if self._kept:
            kept, self._kept = self._kept, b""
            self._transport.write(kept)

    def get_write_buffer_size(self) -> int:
        """Return the number of bytes that are not sent yet."""
        return self._transport.get_write_buffer_size() + len(self._kept)

    def write_eof(self) -> None:
        """Write what was kept, and nothing after it."""
        self.flush()
        self._transport.write_eof()

    def close(self) -> None:
        """Write what was kept, and close."""
        self.flush()
        self._transport.close()
