"""The followers of the log, a row for each projection and reaction: /v1/replicators/ (semantics 11, ruling I1)."""

from typing import Literal

from pydantic import Field

from api.documents.common import Attributes, Listing, Resource, Single
from api.documents.fields import EXTENSION
from api.documents.times import ContractDatetime


class ReplicatorAttributes(Attributes):
    """All but the first three are extensions."""

    classpath: str
    created_time: ContractDatetime
    last_poll_time: ContractDatetime | None = None
    mode: Literal["inline", "background"] = Field(json_schema_extra=EXTENSION)
    version: int = Field(json_schema_extra=EXTENSION)
    position: int = Field(json_schema_extra=EXTENSION)
    head: int = Field(json_schema_extra=EXTENSION)
    lag_events: int = Field(json_schema_extra=EXTENSION)
    lag_seconds: float = Field(json_schema_extra=EXTENSION)
    state: Literal["running", "rebuilding", "failed", "stopped"] = Field(json_schema_extra=EXTENSION)
    error: str | None = Field(default=None, json_schema_extra=EXTENSION)


class ReplicatorResource(Resource[ReplicatorAttributes]):
    type: Literal["replicators"] = "replicators"


class ReplicatorDocument(Single[ReplicatorResource]):
    """Answers GET /v1/replicators/{id}/."""


class ReplicatorList(Listing[ReplicatorResource]):
    """Answers GET /v1/replicators/; not paged (ruling D4)."""
