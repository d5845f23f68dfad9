"""The five operations on a kind of plain records.

VIEW = RecordView(SMS_TEMPLATES, lambda identity: identity.sms_templates, SmsTemplateDocument, SmsTemplateList)

@router.get("/v1/organization-sms-templates/", **answers(SmsTemplateList))
async def list_sms_templates(query: …, principal: Authenticated, reading: ReadingDep) -> Response:
    return await VIEW.page(reading, principal, query)

@router.post("/v1/organization-sms-templates/", **answers(SmsTemplateDocument, 201))
async def create_sms_template(body: …, principal: Authenticated, execute: ExecuteDep) -> Response:
    return await VIEW.create(execute, principal, SmsTemplateFields(**dict(body.attributes)))
"""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar
from uuid import UUID

from starlette.responses import Response

from api.documents.common import Listing, Single, Strict
from api.documents.records import RecordFilters, RecordListQuery
from api.edge.envelope import no_content
from api.edge.execution import Command, Execute
from api.edge.reading import Read, Reading
from domain.application import Identity
from domain.core.errors import Forbidden, NotFound
from domain.core.principal import Principal
from domain.core.records import Records
from projections.core.records import RecordRow, RecordTable
from projections.core.rows import UNPAGED
from projections.core.visibility import Viewer, viewer

TFields = TypeVar("TFields", bound=Any)
TResource = TypeVar("TResource")


def administrators_and_staff(principal: Principal, caller: Viewer) -> bool:
    """Return whether the principal may list records of organizations: as an administrator, staff or a service."""
    return principal.reads_all or bool(caller.administers)


ANONYMOUS = Viewer(UUID(int=0))
"""A caller without a token."""


class RecordView(Generic[TFields, TResource]):
    """Writes the records of a kind and renders the rows of its table.

    `commands` returns the commands of the kind. `models` are the background read models that it reads besides the
    table. `lists` decides who may list records.
    """

    def __init__(
        self,
        table: RecordTable[TFields],
        commands: Callable[[Identity], Records[Any]],
        document: type[Single[TResource]],
        listing: type[Listing[TResource]],
        models: Sequence[str] = (),
        lists: Callable[[Principal, Viewer], bool] = administrators_and_staff,
    ) -> None:
        self._table = table
        self._commands = commands
        self._document = document
        self._listing = listing
        resource: Any = document.model_fields["data"].annotation
        self._resource = resource
        self._attributes = resource.model_fields["attributes"].annotation
        self._models = models
        self._lists = lists

    async def page(self, reading: Reading, principal: Principal, query: RecordListQuery, order: str = "") -> Response:
        """Answer a page of what the principal may read. Raises Forbidden for those who may not list (ruling L16)."""

        async def respond(read: Read) -> Response:
            caller = await self._lister(read, principal)
            rows, total = await self._table.page(read.cursor, caller, query.conditions(), **query.page, order=order)
            return read.listing(self._listing, await self.resources(read, rows), query, total)

        return await reading.read(self._models, respond)

    async def all(self, reading: Reading, query: RecordFilters, principal: Principal | None = None) -> Response:
        """Answer all records that the principal, or a caller without a token, may read, without paging (ruling D4).

        Raises Forbidden for those who may not list.
        """

        async def respond(read: Read) -> Response:
            return await self.all_in(read, query, principal)

        return await reading.read(self._models, respond)

    async def all_in(self, read: Read, query: RecordFilters, principal: Principal | None = None) -> Response:
        """Answer the same from a snapshot, for lists that look something up first."""
        caller = ANONYMOUS if principal is None else await self._lister(read, principal)
        rows, _ = await self._table.page(read.cursor, caller, query.conditions(), limit=UNPAGED, offset=0)
        return read.listing(self._listing, await self.resources(read, rows))

    async def one(self, reading: Reading, principal: Principal, record_id: UUID) -> Response:
        """Answer one record. Raises NotFound, also for a record that the principal may not read."""

        async def respond(read: Read) -> Response:
            return await self._shown(read, principal, record_id, 200)

        return await reading.read(self._models, respond)

    async def create(self, execute: Execute, principal: Principal, fields: TFields) -> Response:
        """Create a record and answer with it."""
        return await self.changed(execute, principal, self._of(execute).create(principal, fields))

    async def change(self, execute: Execute, principal: Principal, record_id: UUID, changes: Strict) -> Response:
        """Change the attributes of a record that were sent, and answer with it."""
        command = self._of(execute).change(principal, record_id, changes.given())
        return await self.changed(execute, principal, command, about=record_id)

    async def delete(self, execute: Execute, principal: Principal, record_id: UUID) -> Response:
        """Delete a record."""
        outcome = await execute(self._of(execute).delete(principal, record_id), about=record_id)
        return no_content(position=outcome.position)

    async def resources(self, read: Read, rows: Sequence[RecordRow[TFields]]) -> list[TResource]:  # noqa: ARG002 - others look things up
        """Return the resources of the rows. A kind whose resources need more than their rows looks that up here."""
        return [self.resource(row) for row in rows]

    def resource(self, row: RecordRow[TFields], **more: Any) -> TResource:
        """Return the resource of a row; its attributes are the fields, the times and the given further ones."""
        times = {"created_time": row.created_at, "last_modified_time": row.modified_at}
        attributes = self._attributes.model_construct(**vars(row.fields), **times, **more)
        resource: TResource = self._resource(attributes=attributes, id=row.id)
        return resource

    async def row(self, read: Read, caller: Viewer, record_id: UUID) -> RecordRow[TFields]:
        """Return one record. Raises NotFound, also for a record that the viewer may not see."""
        row = await self._table.one(read.cursor, caller, record_id)
        if row is None:
            raise NotFound
        return row

    async def changed(
        self,
        execute: Execute,
        principal: Principal,
        command: Command,
        *,
        about: UUID | str | None = None,
        record_id: UUID | None = None,
    ) -> Response:
        """Carry out a command and answer with the record. `record_id` is its id where answers have another one."""
        outcome = await execute(command, about=about)

        async def respond(read: Read) -> Response:
            return await self._shown(read, principal, record_id or outcome.made, outcome.status)

        return await Reading(execute.services, None, is_read=False).read_after(outcome, self._models, respond)

    def _of(self, execute: Execute) -> Records[Any]:
        return self._commands(execute.services.identity)

    async def _lister(self, read: Read, principal: Principal) -> Viewer:
        caller = await viewer(read.cursor, principal.user_id)
        if not self._lists(principal, caller):
            raise Forbidden
        return caller

    async def _shown(self, read: Read, principal: Principal, record_id: UUID, status: int) -> Response:
        row = await self.row(read, await viewer(read.cursor, principal.user_id), record_id)
        (resource,) = await self.resources(read, [row])
        return read.single(self._document, resource, status)
