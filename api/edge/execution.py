"""Carrying out a command once, and answering from its outcome however often it is asked for (rulings A5, A6, O11, O27).

    @router.post("/v1/individual-groups/", **answers(GroupDocument, 201))
    async def create_group(
        body: CreateGroup, principal: Authenticated, identity: IdentityDep, execute: ExecuteDep, show: ShowGroupDep
    ) -> Response:
        outcome = await execute(identity.groups.create(principal, **dict(body.attributes)))
        return await show(principal, outcome)

Everything that decides stands inside `execute`; what follows renders, from the ids of the request and the outcome
alone. A client that prefers `return=minimal` is answered before it, and a retry of a recorded command starts there:
nothing is decided again, whatever has changed meanwhile. Its caller sees what they may still read; a NotFound or
Forbidden out of the rendering becomes an answer with type and id alone.
"""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from starlette.requests import Request
from starlette.responses import Response

from adapters.metrics import FAILURES
from api.edge.envelope import answer
from api.edge.errors import ReadModelBehind, log_unhandled, refusal
from api.edge.preferences import minimal, prefers_minimal
from api.services import Services, services_of
from domain.core.errors import DomainError, Forbidden, NotFound
from domain.core.idempotency import Recording, current_recording, recording
from domain.core.permissions import Permissions
from domain.core.ports import AccessQuery
from domain.core.principal import Principal
from projections import registry

Command = Coroutine[Any, Any, int | tuple[Any, int]]
"""Answers the position that shows it, alone or after something that its answer does not need."""


@dataclass(frozen=True)
class Outcome:
    """What a command came to.

    `position` is where it was recorded, `recorded_at` when it appended something just now, `status` that of its
    answer. `resource_id` is what it is about, as the
    endpoint or the command has named it. `repeated` tells that an earlier request with the same Idempotency-Key did
    it. `models` are the background read models that look at what was appended, `visible` whether all of them have it.
    """

    position: int
    status: int
    resource_id: str | None
    repeated: bool
    models: frozenset[str]
    visible: bool
    recorded_at: datetime | None = None

    @property
    def made(self) -> UUID:
        """The id of what the command made or found."""
        assert self.resource_id is not None
        return UUID(self.resource_id)


class RepresentationNotWanted(Exception):
    """The command is carried out, and its client prefers to be told that alone: nothing is left to render."""

    def __init__(self, status: int, position: int) -> None:
        super().__init__()
        self.status = status
        self.position = position


class Execute:
    """Carries out the command of one request. The route puts its recording around the endpoint."""

    def __init__(self, services: Services, status: int, *, prefers_minimal: bool = False) -> None:
        self.services = services
        self._status = status
        self._prefers_minimal = prefers_minimal
        self._outcome: Outcome | None = None
        found = current_recording()
        assert found is not None, "a command runs inside a recording"
        self._recording = found

    async def __call__(self, command: Command, *, about: UUID | str | None = None) -> Outcome:
        """Carry out the command, unless it was recorded before, and wait for the read models that show it.

        `about` is the id of the resource, where the request names it. Called once more, for an answer that lost its
        connection, it returns the same outcome. Raises what the command raises, and RepresentationNotWanted instead of
        waiting for a client that prefers `return=minimal`.
        """
        if self._outcome is not None:
            command.close()
            return self._outcome
        recorded = self._recording
        if recorded.repeated:
            command.close()
            assert recorded.position is not None
            position, models = recorded.position, registry.background_names()
        else:
            recorded.resource_id = None if about is None else str(about)
            returned = await command
            position = returned if isinstance(returned, int) else returned[1]
            models = registry.background_names(recorded.kinds)
            await self._remember(position)
        status = recorded.request.status if recorded.request else self._status
        if self._prefers_minimal:
            raise RepresentationNotWanted(status, position)
        seconds = self.services.settings.position_wait
        visible = await self.services.positions.shown(models, position, seconds)
        self._outcome = Outcome(
            position, status, recorded.resource_id, recorded.repeated, models, visible, recorded.recorded_at
        )
        recorded.carried_out = True
        return self._outcome

    async def _remember(self, position: int) -> None:
        """The store has kept what appended something, in the append itself."""
        recorded = self._recording
        if recorded.request is not None and not recorded.kinds:
            await self.services.answers.remember(recorded.request, position, recorded.resource_id)


async def execute(request: Request) -> Execute:
    """The execution of this request's command."""
    route = request.scope["route"]
    return Execute(services_of(request), route.status_code, prefers_minimal=prefers_minimal(request.headers))


def is_carried_out() -> bool:
    """Whether the current request's command is carried out, so that only its answer is still to be made."""
    found = current_recording()
    return found is not None and found.carried_out


async def require_still_readable(
    permissions: Permissions, principal: Principal, outcome: Outcome, resource_type: str, resource_id: UUID
) -> None:
    """Raise NotFound when the principal of a repeated request may not read the resource any more (ruling O11).

    A principal who has just changed something is shown it, even when the change ended their right.
    """
    if outcome.repeated:
        await permissions.require(principal, AccessQuery(resource_type, resource_id, "read"))


def identified(resource_type: str, resource_id: str | int, status: int, position: int) -> Response:
    """Return an answer that tells type and id of a resource and nothing else of it (ruling O11)."""
    document = {"data": {"type": resource_type, "id": resource_id}, "meta": {"position": position}}
    return answer(document, status, position=position)


async def answered_as_recorded(
    carry_out: Callable[[Recording], Awaitable[Response]], status: int, resource_type: str | None
) -> Response:
    """Return the answer to a command; once it is recorded, nothing refuses it any more (rulings O11, O27).

    What it is about and cannot be read is named by type and id. Whatever else fails after the commit is answered
    503 `read-model-behind` with the position.
    """
    with recording(Recording()) as recorded:
        try:
            return await carry_out(recorded)
        except RepresentationNotWanted as done:
            return minimal(done.status, done.position)
        except Exception as error:
            if recorded.position is None:
                raise
            if isinstance(error, NotFound | Forbidden) and resource_type and recorded.resource_id:
                status = recorded.request.status if recorded.request else status
                return identified(resource_type, recorded.resource_id, status, recorded.position)
            if not isinstance(error, DomainError | psycopg.OperationalError):
                FAILURES.inc()
                log_unhandled(error)
            return refusal(ReadModelBehind(recorded=recorded.position))
