import asyncio
from collections.abc import Sequence
from contextvars import ContextVar

import pytest

from adapters.postgres.query_batcher import MAX_BATCH, QueryBatcher


class Rounds:
    """What is asked in each round, and how many run at once; a round answers when it is let go."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.running = self.most_running = 0
        self.go = asyncio.Event()

    async def double(self, numbers: Sequence[int]) -> list[int]:
        self.asked.append(list(numbers))
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        await self.go.wait()
        self.running -= 1
        if 13 in numbers:
            raise ValueError(numbers)
        return [2 * number for number in numbers]


async def test_concurrent_questions_share_a_query_and_get_their_own_answers() -> None:
    rounds = Rounds()
    rounds.go.set()
    gathering = QueryBatcher(rounds.double)
    assert await asyncio.gather(*(gathering.ask(number) for number in (1, 2, 3))) == [2, 4, 6]
    assert rounds.asked == [[1, 2, 3]]


async def test_questions_during_a_query_wait_for_the_next_one() -> None:
    """A round that has begun may have seen the world before the question was put."""
    rounds = Rounds()
    gathering = QueryBatcher(rounds.double, rounds=1)
    first = asyncio.create_task(gathering.ask(1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    later = [asyncio.create_task(gathering.ask(number)) for number in (2, 3)]
    await asyncio.sleep(0)
    assert rounds.asked == [[1]]
    rounds.go.set()
    assert await asyncio.gather(first, *later) == [2, 4, 6]
    assert rounds.asked == [[1], [2, 3]]


async def test_the_number_and_size_of_queries_are_limited() -> None:
    rounds = Rounds()
    gathering = QueryBatcher(rounds.double, rounds=2)
    asked = [asyncio.create_task(gathering.ask(number * 100)) for number in range(MAX_BATCH * 3)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    rounds.go.set()
    assert await asyncio.gather(*asked) == [number * 200 for number in range(MAX_BATCH * 3)]
    assert rounds.most_running <= 2
    assert max(map(len, rounds.asked)) == MAX_BATCH


async def test_a_failure_reaches_those_of_its_round_only() -> None:
    rounds = Rounds()
    rounds.go.set()
    gathering = QueryBatcher(rounds.double)
    failed = await asyncio.gather(gathering.ask(13), gathering.ask(1), return_exceptions=True)
    assert [type(each) for each in failed] == [ValueError, ValueError]
    assert await gathering.ask(2) == 4


async def test_a_shared_query_runs_without_an_audit_context() -> None:
    caller: ContextVar[str] = ContextVar("caller", default="nobody")

    async def seen(questions: Sequence[int]) -> list[str]:
        return [caller.get() for _ in questions]

    caller.set("ann")
    assert await QueryBatcher(seen).ask(1) == "nobody"


async def test_a_cancelled_question_cancels_no_other_question() -> None:
    rounds = Rounds()
    gathering = QueryBatcher(rounds.double)
    before, going, staying = (asyncio.create_task(gathering.ask(number)) for number in (1, 2, 3))
    await asyncio.sleep(0)
    going.cancel()
    with pytest.raises(asyncio.CancelledError):
        await going
    rounds.go.set()
    assert (await asyncio.wait_for(before, 5), await asyncio.wait_for(staying, 5)) == (2, 6)
