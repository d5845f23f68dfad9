"""The log is for ever: no topic disappears, no field changes, and what is new is frozen at once."""

from copy import deepcopy

from tests.support.event_catalogue import (
    PAGE,
    aggregates,
    broken,
    events_of,
    frozen,
    golden,
    missing_upcasts,
    page,
)

WRITE = "run `python -m tests.support.event_catalogue --write`"


def test_frozen_events_are_unchanged() -> None:
    assert broken(golden(), frozen()) == []


def test_every_event_is_frozen() -> None:
    now = {(topic, version) for topic, versions in frozen().items() for version in versions}
    then = {(topic, version) for topic, versions in golden().items() for version in versions}
    assert not now - then, f"new events: {WRITE}"


def test_every_later_version_has_an_upcast_from_the_one_before() -> None:
    assert missing_upcasts() == []


def test_every_event_says_what_happened() -> None:
    """Also those that an aggregate inherits, of which the library makes classes without a docstring."""
    assert [event.topic for each in aggregates() for event in events_of(each) if not event.meaning] == []


def test_the_page_describes_the_events_as_they_are() -> None:
    assert PAGE.read_text() == page(), f"docs/events.md is out of date: {WRITE}"


def test_a_changed_field_is_noticed() -> None:
    changed = deepcopy(frozen())
    changed["role.granted"]["1"]["user_id"] = "str"
    assert [problem.partition(":")[0] for problem in broken(golden(), changed)] == ["role.granted changed"]


def test_a_lost_topic_is_noticed() -> None:
    changed = frozen()
    del changed["role.granted"]
    assert broken(golden(), changed) == ["role.granted is gone"]


def test_a_new_version_breaks_nothing() -> None:
    changed = frozen()
    changed["role.granted"] = {"2": {"user_id": "UUID"}}
    assert broken(golden(), changed) == []
