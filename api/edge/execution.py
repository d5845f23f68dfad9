"""Carries out a command once, and answers every retry from its outcome (rulings A5, A6, O11, O27).

    @router.post("/v1/individual-groups/", **answers(GroupDocument, 201))
    async def create_group(
        body: CreateGroup, principal: Authenticated, identity: IdentityDep, execute: ExecuteDep, show: ShowGroupDep
    ) -> Response:
        outcome = await execute(identity.groups.create(principal, **dict(body.attributes)))
        return await show(principal, outcome)

All decisions are made inside `execute`. The code after it only renders an answer, from the ids in the request and from
the outcome. A client that prefers `return=minimal` is answered before the rendering. A retry of a recorded command
begins with the rendering: nothing is decided again, whatever has changed meanwhile. The answer shows what the caller
may read now; if the rendering raises NotFound or Forbidden, the answer has only the type and the id.
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
"""A running command. Its result is the position of its events, alone or after a value that the endpoint ignores."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of a command.

    `position` is the position of its events, and `recorded_at` the time of their append if this request appended them.
    `status` is the status of the answer. `resource_id` is the id that the endpoint or the command gave. `repeated` is
    true if an earlier request with the same Idempotency-Key carried out the command. `models` are the background read
    models that handle the events; `visible` tells whether all of them have reached the position.
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
        """Return the id of the resource that the command created or found."""
        assert self.resource_id is not None
        return UUID(self.resource_id)


class RepresentationNotWanted(Exception):
    """The command succeeded, and the client prefers an answer without a representation."""

    def __init__(self, status: int, position: int) -> None:
        super().__init__()
        self.status = status
        self.position = position


class Execute:
    """Carries out the command of one request, within the recording that the route has opened."""

    def __init__(self, services: Services, status: int, *, prefers_minimal: bool = False) -> None:
        self.services = services
        self._status = status
        self._prefers_minimal = prefers_minimal
        self._outcome: Outcome | None = None
        recording = current_recording()
        assert recording is not None, "a command runs inside a recording"
        self._recording = recording

    async def __call__(self, command: Command, *, about: UUID | str | None = None) -> Outcome:
        """Carry out the command, unless it was recorded before, and wait for the read models that show its result.

        `about` is the id of the resource if the request names it. A second call, for an answer that lost its database
        connection, returns the same outcome. Raises the refusals of the command; RepresentationNotWanted in place of
        waiting, if the client prefers `return=minimal`.
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
            recorded.resource_id, recorded.named = None if about is None else str(about), about is not None
            recorded.awaited = not self._prefers_minimal
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
        """Store the result of a command that appended nothing; the append stores that of all others."""
        recorded = self._recording
        if recorded.request is not None and not recorded.kinds:
            await self.services.answers.remember(recorded.request, position, recorded.resource_id)


async def execute(request: Request) -> Execute:
    """Return what carries out the command of this request."""
    route = request.scope["route"]
    return Execute(services_of(request), route.status_code, prefers_minimal=prefers_minimal(request.headers))


def recorded_at() -> datetime:
    """Return the time at which the events of the current command were appended."""
    recording = current_recording()
    assert recording is not None
    assert recording.recorded_at is not None, "the command has appended events"
    return recording.recorded_at


def is_carried_out() -> bool:
    """Return whether the command of the current request is carried out and only its answer is missing."""
    recording = current_recording()
    return recording is not None and recording.carried_out


async def require_still_readable(
    permissions: Permissions, principal: Principal, outcome: Outcome, resource_type: str, resource_id: UUID
) -> None:
    """Raise NotFound when the principal of a repeated request may no longer read the resource (ruling O11).

    The answer to the first request shows the resource even if the change ended the principal's right.
    """
    if outcome.repeated:
        await permissions.require(principal, AccessQuery(resource_type, resource_id, "read"))


def identified(resource_type: str, resource_id: str | int, status: int, position: int) -> Response:
    """Return an answer with only the type and the id of a resource (ruling O11)."""
    document = {"data": {"type": resource_type, "id": resource_id}, "meta": {"position": position}}
    return answer(document, status, position=position)


async def answered_as_recorded(
    carry_out: Callable[[Recording], Awaitable[Response]], status: int, resource_type: str | None
) -> Response:
    """Return the answer to a command. A recorded command is never answered with a refusal (rulings O11, O27).

    If the caller may not read the resource, the answer has only its type and id. Any other failure after the commit is
    answered with 503 `read-model-behind` and the position.
    """
    with recording(Recording()) as recorded:
        try:
            return await carry_out(recorded)
        except RepresentationNotWanted as done:
            return minimal(done.status, done.position)
        except Exception as error:
            if not recorded.committed:
                raise
            assert recorded.position is not None
            if isinstance(error, NotFound | Forbidden) and resource_type and recorded.resource_id:
                status = recorded.request.status if recorded.request else status
                return identified(resource_type, recorded.resource_id, status, recorded.position)
            if not isinstance(error, DomainError | psycopg.OperationalError):
                FAILURES.inc()
                log_unhandled(error)
            return refusal(ReadModelBehind(recorded=recorded.position))
