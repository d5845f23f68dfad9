"""Background tasks: GET /v1/tasks/{id}/, an extension (semantics 12, ruling F9)."""

from typing import Literal

from api.documents.common import Attributes, Resource, Single
from api.documents.times import ContractDatetime


class TaskAttributes(Attributes):
    """`position` is that of the event the task ended in, null before; `error` says why it failed."""

    kind: Literal["move-group"]
    state: Literal["pending", "running", "done", "failed"]
    created_time: ContractDatetime
    finished_time: ContractDatetime | None = None
    error: str | None = None
    position: int | None = None


class TaskResource(Resource[TaskAttributes]):
    type: Literal["tasks"] = "tasks"


class TaskDocument(Single[TaskResource]):
    """Answers GET /v1/tasks/{id}/."""
