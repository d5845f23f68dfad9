"""Which appends are written together: a large one is written alone, and a batch is bounded (ruling O8)."""

from collections import deque
from uuid import uuid4

from adapters.log.append_batches import MAX_BATCH_EVENTS, Append, take_batch
from domain.core.recorded import Event
from tests.adapters.log.aggregates import a_role


def an_append(events: int) -> Append:
    fresh: list[Event] = [each for _ in range(events) for each in a_role().collect_events()]
    return Append(id=uuid4(), events=fresh, rows=[], encoded=[], unchanged=[], request=None)


async def test_an_append_larger_than_a_batch_is_written_alone() -> None:
    small, large, later = an_append(1), an_append(MAX_BATCH_EVENTS + 1), an_append(1)
    waiting = deque([small, large, later])
    assert [take_batch(waiting, None) for _ in range(3)] == [[small], [large], [later]]


async def test_batches_are_bounded_by_their_events() -> None:
    appends = [an_append(MAX_BATCH_EVENTS // 2) for _ in range(3)]
    waiting = deque(appends)
    assert [take_batch(waiting, None) for _ in range(2)] == [appends[:2], appends[2:]]
