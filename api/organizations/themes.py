"""/v1/organization-themes/: hosts and support addresses of organizations."""

from collections.abc import Sequence
from uuid import UUID

from starlette.responses import Response

from api.documents.organizations import themes as documents
from api.documents.people.people import PersonReference
from api.edge.caller import Authenticated
from api.edge.deps import ExecuteDep, FromQuery, PathId, ReadingDep
from api.edge.reading import Read
from api.edge.records import RecordView
from api.edge.route import answers, contract_router
from domain.organizations.themes import ThemeFields
from projections.core.records import RecordRow
from projections.organizations.themes import THEMES
from projections.people.users import UsersProjection, names_of

router = contract_router("organization-themes", "Host names and support addresses of organizations.")


class ThemeView(RecordView[ThemeFields, documents.ThemeResource]):
    """Renders themes with the names of the users who created and changed them."""

    async def resources(self, read: Read, rows: Sequence[RecordRow[ThemeFields]]) -> list[documents.ThemeResource]:
        people = await names_of(read.cursor, {user_id for row in rows for user_id in (row.created_by, row.modified_by)})

        def named(user_id: UUID | None) -> PersonReference | None:
            person = people.get(user_id)
            return None if person is None else PersonReference.model_construct(**person._asdict())

        return [
            self.resource(row, created_by=named(row.created_by), last_modified_by=named(row.modified_by))
            for row in rows
        ]


VIEW = ThemeView(
    THEMES,
    lambda identity: identity.themes,
    documents.ThemeDocument,
    documents.ThemeList,
    models=(UsersProjection.name,),
    lists=lambda principal, _: principal.staff,
)


@router.get("/v1/organization-themes/", **answers(documents.ThemeList))
async def list_themes(
    query: FromQuery[documents.ThemeListQuery], principal: Authenticated, reading: ReadingDep
) -> Response:
    """Return a page of themes."""
    order = "r.modified_at, r.id" if query.modified else ""
    return await VIEW.page(reading, principal, query, order)


@router.post("/v1/organization-themes/", **answers(documents.ThemeDocument, 201))
async def create_theme(body: documents.CreateTheme, principal: Authenticated, execute: ExecuteDep) -> Response:
    """Create a theme."""
    return await VIEW.create(execute, principal, ThemeFields(**dict(body.attributes)))


@router.get("/v1/organization-themes/{id}/", **answers(documents.ThemeDocument))
async def get_theme(theme_id: PathId, principal: Authenticated, reading: ReadingDep) -> Response:
    """Return one theme."""
    return await VIEW.one(reading, principal, theme_id)


@router.patch("/v1/organization-themes/{id}/", **answers(documents.ThemeDocument))
async def update_theme(
    theme_id: PathId, body: documents.UpdateTheme, principal: Authenticated, execute: ExecuteDep
) -> Response:
    """Change the attributes that were sent."""
    return await VIEW.change(execute, principal, theme_id, body.attributes)
