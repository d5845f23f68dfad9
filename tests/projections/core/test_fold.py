"""Folds: each event goes to the method that handles its class, and these classes are the projection's events."""

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from domain.access.roles import Role
from domain.core.recorded import Recorded
from projections.core.fold import Fold, handler


class Seen(Fold):
    def __init__(self) -> None:
        self.seen: list[tuple[int, str]] = []

    @handler
    def create(self, event: Role.Created) -> None:
        self.seen.append((self.position, f"created {event.name}"))

    @handler
    def change(self, event: Role.Granted | Role.Revoked) -> None:
        self.seen.append((self.position, type(event).__name__))


class SeenDifferently(Seen):
    @handler
    def create_differently(self, event: Role.Created) -> None:
        self.seen.append((self.position, f"made {event.name}"))


class RoleNotHandled(Seen):
    """Another one, which must leave the handlers of its base alone."""


def recorded(name: str) -> Sequence[Recorded]:
    role = Role.create(uuid4(), name, name)
    user_id = uuid4()
    role.grant(user_id, live=True)
    role.revoke(user_id)
    events: Sequence[Any] = role.collect_events()
    return [Recorded(position, event) for position, event in enumerate(events, 7)]


async def test_events_go_to_the_methods_that_name_their_classes() -> None:
    fold = await Seen().add_all(recorded("nurse"))
    assert fold.seen == [(7, "created nurse"), (8, "Granted"), (9, "Revoked")]


async def test_handlers_of_a_base_class_get_variants_and_upcasts() -> None:
    class Variant(Role.Created):
        TOPIC = "test.role-variant"

    (created, *_) = recorded("nurse")
    variant = object.__new__(Variant)
    vars(variant).update(vars(created.event))
    assert (await Seen().add_all([Recorded(3, variant)])).seen == [(3, "created nurse")]


def test_the_events_of_a_fold_are_those_that_it_handles() -> None:
    assert Seen.events == RoleNotHandled.events == (Role.Created, Role.Granted, Role.Revoked)
    assert Fold.events == ()


async def test_a_derived_fold_may_handle_an_event_in_its_own_way() -> None:
    assert (await SeenDifferently().add_all(recorded("nurse"))).seen[0] == (7, "made nurse")
    assert (await Seen().add_all(recorded("nurse"))).seen[0] == (7, "created nurse")


async def test_events_without_a_handler_change_nothing() -> None:
    class OfGrants(Fold):
        granted = 0

        @handler
        def grant(self, event: Role.Granted) -> None:
            self.granted += 1

    assert (await OfGrants().add_all(recorded("nurse"))).granted == 1
