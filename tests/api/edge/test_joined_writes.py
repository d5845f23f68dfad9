"""Head and body of an answer go out in one write."""

import asyncio
from typing import Any, cast

from api.edge.joined_writes import MAX_JOINED, JoinedWrites


class Written:
    """A transport that notes what is written to it."""

    def __init__(self) -> None:
        self.calls: list[bytes] = []
        self.ended = ""

    def write(self, data: bytes) -> None:
        self.calls.append(data)

    def get_write_buffer_size(self) -> int:
        return sum(map(len, self.calls))

    def write_eof(self) -> None:
        self.ended = "eof"

    def close(self) -> None:
        self.ended = "closed"

    def is_closing(self) -> bool:
        return bool(self.ended)


def joined() -> tuple[Any, Written]:
    written = Written()
    return JoinedWrites(cast(Any, written), asyncio.get_running_loop()), written


async def test_a_head_and_its_body_are_one_write() -> None:
    transport, written = joined()
    transport.write(b"head ")
    assert written.calls == []
    assert transport.get_write_buffer_size() == 5
    transport.write(b"body")
    assert written.calls == [b"head body"]
    await asyncio.sleep(0)
    assert written.calls == [b"head body"]


async def test_a_head_without_a_body_is_written_soon() -> None:
    transport, written = joined()
    transport.write(b"head")
    await asyncio.sleep(0)
    assert written.calls == [b"head"]


async def test_a_large_body_is_not_copied() -> None:
    transport, written = joined()
    body = b"x" * (MAX_JOINED + 1)
    transport.write(b"head")
    transport.write(body)
    transport.write(body)
    assert written.calls == [b"head", body, body]
    assert written.calls[1] is body


async def test_nothing_is_lost_at_the_end() -> None:
    for end, name in ((JoinedWrites.close, "closed"), (JoinedWrites.write_eof, "eof")):
        transport, written = joined()
        transport.write(b"answer")
        end(transport)
        assert written.calls == [b"answer"]
        assert written.ended == name
        assert transport.is_closing()
