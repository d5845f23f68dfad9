"""/v1/tasks/{id}/, an extension: the state of a background task (semantics 12, ruling F9)."""

from uuid import UUID

from psycopg import AsyncCursor
from starlette.responses import Response

from api.documents.groups.tasks import TaskAttributes, TaskDocument, TaskResource
from api.edge.caller import Authenticated
from api.edge.deps import PathId, ReadingDep
from api.edge.reading import Read, single
from api.edge.route import answers, contract_router
from domain.core.errors import NotFound
from domain.core.principal import Principal
from projections.groups import tasks
from projections.groups.tasks import TaskRow

router = contract_router("tasks", "Work that goes on after its request was answered.")


@router.get("/v1/tasks/{id}/", **answers(TaskDocument, extension=True))
async def task(task_id: PathId, principal: Authenticated, reading: ReadingDep) -> Response:
    """Return a task that the caller started."""

    async def find(read: Read) -> tuple[TaskRow, int]:
        return await _visible(read.cursor, principal, task_id), read.position

    async def respond(read: Read) -> Response:
        return read.single(TaskDocument, _resource(row))

    row, position = await reading.read(("tasks",), find)
    if row.finished_position is None:
        return single(TaskDocument, _resource(row), position)
    # a finished task is shown only when the lists of groups show its result too
    return await reading.at_least(position).read(("tasks", "groups"), respond)


async def _visible(cursor: AsyncCursor, principal: Principal, task_id: UUID) -> TaskRow:
    row = await tasks.task(cursor, task_id)
    if row is None or not (principal.unlimited or row.created_by == principal.user_id):
        raise NotFound
    return row


def _resource(row: TaskRow) -> TaskResource:
    attributes = TaskAttributes.of(
        row, created_time=row.created_at, finished_time=row.finished_at, position=row.finished_position
    )
    return TaskResource.model_construct(id=row.task_id, attributes=attributes, type="tasks")
