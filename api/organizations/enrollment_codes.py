"""/v1/organization-codes/: codes with which patients sign up for an organization."""

from collections.abc import Sequence
from typing import Annotated, Any

import orjson
from fastapi import Path
from starlette.responses import Response

from api.documents.organizations import enrollment_codes as documents
from api.documents.people.users import AccountAttributes, UserAttributes
from api.edge.caller import Authenticated
from api.edge.deps import ExecuteDep, FromQuery, IdentityDep, ReadingDep
from api.edge.envelope import no_content
from api.edge.reading import Read
from api.edge.records import RecordView
from api.edge.route import answers, contract_router
from api.people.rendering import listed_attributes
from domain.core.principal import Principal
from domain.organizations.enrollment_codes import OrganizationCodeFields, organization_code_id
from projections.core.records import RecordRow
from projections.core.visibility import Viewer, viewer
from projections.groups.groups import GroupsProjection
from projections.organizations.enrollment_codes import ORGANIZATION_CODES, surroundings
from projections.people import sign_ups
from projections.people.sign_ups import SignUpFilter
from projections.people.users import UsersProjection

router = contract_router("organization-codes", "Codes with which patients sign up for an organization.")

PathCode = Annotated[str, Path(alias="id")]
"""A code in any case; a text that cannot be a code is an unknown one (ruling D10)."""


class OrganizationCodeView(RecordView[OrganizationCodeFields, documents.OrganizationCodeResource]):
    """Renders codes with the names of their organizations and groups."""

    async def resources(
        self, read: Read, rows: Sequence[RecordRow[OrganizationCodeFields]]
    ) -> list[documents.OrganizationCodeResource]:
        around = await surroundings(read.cursor, [row.id for row in rows])
        return [self.resource(row, **around[row.id]._asdict()) for row in rows]

    def resource(self, row: RecordRow[OrganizationCodeFields], **more: Any) -> documents.OrganizationCodeResource:
        """Return the resource of a row; `more` are its surroundings."""
        fields, group_id = row.fields, row.fields.individual_group_id
        organization = documents.OrganizationNames.model_construct(
            display_name=more["display_name"], id=fields.organization_id, name=more["name"]
        )
        group = documents.GroupReference.model_construct(id=group_id, name=more["group_name"])
        attributes = documents.OrganizationCodeAttributes.model_construct(
            enrollment_schema=parsed(fields.enrollment_schema),
            expires_at=fields.expires_at,
            individual_group=None if group_id is None else group,
            organization=organization,
            sign_up_requests_count=more["sign_ups"],
        )
        return documents.OrganizationCodeResource.model_construct(attributes=attributes, id=fields.code)


def readers(principal: Principal, caller: Viewer) -> bool:
    """Return whether the principal may list codes: as a provider, staff or a service (ruling K54)."""
    return principal.reads_all or bool(caller.works_in)


VIEW = OrganizationCodeView(
    ORGANIZATION_CODES,
    lambda identity: identity.organization_codes,
    documents.OrganizationCodeDocument,
    documents.OrganizationCodeList,
    models=(GroupsProjection.name,),
    lists=readers,
)


@router.get("/v1/organization-codes/", **answers(documents.OrganizationCodeList))
async def list_organization_codes(
    query: FromQuery[documents.OrganizationCodeListQuery], principal: Authenticated, reading: ReadingDep
) -> Response:
    """Return all codes that the caller may read, expired ones too."""
    return await VIEW.all(reading, query, principal)


@router.post("/v1/organization-codes/", **answers(documents.OrganizationCodeDocument, 201))
async def create_organization_code(
    body: documents.CreateOrganizationCode, principal: Authenticated, identity: IdentityDep, execute: ExecuteDep
) -> Response:
    """Create a code of an organization."""
    given = body.attributes
    fields = OrganizationCodeFields(
        given.id, given.organization_id, given.expires_at, as_text(given.enrollment_schema), given.individual_group_id
    )
    command = identity.organization_codes.create(principal, fields)
    return await VIEW.changed(execute, principal, command, about=given.id, record_id=organization_code_id(given.id))


@router.get("/v1/organization-codes/{id}/", **answers(documents.OrganizationCodeDocument))
async def get_organization_code(code: PathCode, principal: Authenticated, reading: ReadingDep) -> Response:
    """Return one code."""
    return await VIEW.one(reading, principal, organization_code_id(code))


@router.get("/v1/organization-codes/{id}/users/", **answers(documents.CodeUserList))
async def list_organization_code_users(
    code: PathCode, query: FromQuery[documents.CodeUserListQuery], principal: Authenticated, reading: ReadingDep
) -> Response:
    """Return the people who signed up with a code, the newest first; providers see their basic attributes.

    Of archived people only the state and the dates are shown, and to providers nothing.
    """

    async def respond(read: Read) -> Response:
        caller = await viewer(read.cursor, principal.user_id)
        row = await VIEW.row(read, caller, organization_code_id(code))
        whole = principal.reads_all or row.fields.organization_id in caller.administers
        filters = SignUpFilter(
            row.id, query.email, query.email_verified, query.state, query.text, matches_none=hidden(query, whole=whole)
        )
        rows, total = await sign_ups.page(read.cursor, filters, **query.page)
        attributes = await listed_attributes(read, rows, row.fields.organization_id, caller if whole else None)
        people = [
            documents.CodeUserResource.model_construct(attributes=shown(attributes[each.user_id]), id=each.user_id)
            for each in rows
        ]
        return read.listing(documents.CodeUserList, people, query, total)

    return await reading.read((UsersProjection.name,), respond)


def hidden(query: documents.CodeUserListQuery, *, whole: bool) -> bool:
    """Return whether the query asks for what the caller does not see, in archived rows or of anybody (O9, K75)."""
    archived, verified = query.state == "archived", query.email_verified is not None
    return (archived and verified) if whole else (archived or verified)


def shown(attributes: UserAttributes) -> AccountAttributes:
    """Return those attributes of a user that this list shows."""
    return AccountAttributes.model_construct(
        **{name: getattr(attributes, name) for name in AccountAttributes.model_fields}
    )


@router.patch("/v1/organization-codes/{id}/", **answers(documents.OrganizationCodeDocument))
async def update_organization_code(
    code: PathCode,
    body: documents.UpdateOrganizationCode,
    principal: Authenticated,
    identity: IdentityDep,
    execute: ExecuteDep,
) -> Response:
    """Change when a code expires, what it asks for, or the group that its people are added to."""
    changes, code_id = body.attributes.given(), organization_code_id(code)
    if "enrollment_schema" in changes:
        changes["enrollment_schema"] = as_text(changes["enrollment_schema"])
    command = identity.organization_codes.change(principal, code_id, changes)
    return await VIEW.changed(execute, principal, command, about=code, record_id=code_id)


@router.delete("/v1/organization-codes/{id}/", **answers(None, 204, extension=True))
async def delete_organization_code(
    code: PathCode, principal: Authenticated, identity: IdentityDep, execute: ExecuteDep
) -> Response:
    """Delete a code. It is never given again."""
    command = identity.organization_codes.delete(principal, organization_code_id(code))
    outcome = await execute(command, about=code)
    return no_content(position=outcome.position)


def as_text(schema: dict[str, Any] | None) -> str | None:
    """Return a schema as compact JSON."""
    return None if schema is None else orjson.dumps(schema).decode()


def parsed(schema: str | None) -> dict[str, Any] | None:
    """Return the schema that the JSON text contains."""
    return None if schema is None else orjson.loads(schema)
