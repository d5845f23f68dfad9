"""Folds of batches of events: each event goes to the method that handles its class."""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Self, TypeVar, get_args

from domain.core.recorded import Event, Recorded
from domain.core.turns import InTurns

TMethod = TypeVar("TMethod", bound=Callable[..., None])


def handler(method: TMethod) -> TMethod:
    """Mark a method of a fold as the handler of the events that its parameter `event` is annotated with."""
    annotation = method.__annotations__["event"]
    vars(method)["handled"] = get_args(annotation) or (annotation,)
    return method


class Fold:
    """Base of the folds of all projections.

        class HoldersFold(Fold):
            @handler
            def grant(self, event: Role.Granted) -> None: ...

    `events` are the classes that have a handler, which a projection takes as its own: none is listed anywhere else.
    `position` is that of the event at hand.
    """

    events: ClassVar[tuple[type[Event], ...]] = ()
    _handlers: ClassVar[dict[type[Any], Callable[[Any, Event], None]]] = {}
    position = 0

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls._handlers = dict(cls._handlers)
        for method in vars(cls).values():
            for kind in getattr(method, "handled", ()):
                cls._handlers[kind] = method
        cls.events = tuple(cls._handlers)

    def add(self, recorded: Recorded) -> None:
        """Handle the next event of the log; those without a handler change nothing."""
        self.position = recorded.position
        for kind in type(recorded.event).__mro__:
            if (method := self._handlers.get(kind)) is not None:
                method(self, recorded.event)
                return

    async def add_all(self, events: Iterable[Recorded]) -> Self:
        """Handle all events, in turns with other tasks."""
        async for some in InTurns(events):
            for recorded in some:
                self.add(recorded)
        return self
