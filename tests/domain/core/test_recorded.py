from eventsourcing.utils import get_topic

from domain.core.recorded import topics_of


class First:
    """Of an event."""


class Second(First):
    """Another version of it."""


def test_a_base_class_of_events_selects_derived_classes() -> None:
    assert topics_of([First]) == [get_topic(First), get_topic(Second)]  # type: ignore[list-item]
    assert topics_of([Second]) == [get_topic(Second)]  # type: ignore[list-item]
    assert topics_of(None) is None
