"""Notices of appends: late and few, unless a request waits for them."""

import asyncio
from functools import partial
from typing import Any, cast

from adapters.log.announcer import Announcer
from tests.support.edge import eventually


class Notices(Announcer):
    """Notes the notices instead of sending them."""

    def __init__(self, *, delay: float) -> None:
        super().__init__(cast(Any, None), delay=delay)
        self.sent: list[int] = []

    async def _notify(self, position: int) -> None:
        self.sent.append(position)


async def test_a_notice_without_a_waiting_request_covers_later_appends() -> None:
    notices = Notices(delay=0.05)
    notices.start()
    for position in (1, 2, 3):
        notices.announce(position, at_once=False)
        await asyncio.sleep(0)
    assert notices.sent == []
    await eventually(lambda: notices.sent)
    assert notices.sent == [3]
    notices.announce(4, at_once=False)
    await eventually(lambda: len(notices.sent) == 2)
    await notices.stop()
    assert notices.sent == [3, 4]


async def test_a_notice_for_which_a_request_waits_is_sent_at_once() -> None:
    notices = Notices(delay=60)
    notices.start()
    notices.hurry()  # there is nothing to announce
    for number in (1, 2):
        notices.announce(number, at_once=False)
        notices.hurry()
        await eventually(partial(_has_sent, notices, number))
    await notices.stop()
    assert notices.sent == [1, 2]


async def test_other_notices_are_sent_at_once() -> None:
    notices = Notices(delay=60)
    notices.start()
    notices.announce(1, at_once=False)
    notices.announce(2)
    await eventually(partial(_has_sent, notices, 1))
    await notices.stop()
    assert notices.sent == [2]


async def test_the_end_sends_a_notice_that_waits() -> None:
    notices = Notices(delay=60)
    notices.start()
    await asyncio.sleep(0)  # it has begun
    notices.announce(1, at_once=False)
    await notices.stop()
    assert notices.sent == [1]


def _has_sent(notices: Notices, number: int) -> bool:
    return len(notices.sent) == number
