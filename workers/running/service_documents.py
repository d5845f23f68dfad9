"""`rollbook service-documents`: adds terms and policies (ruling K109).

Slow imports are inside the commands, as in `workers.cli`.
"""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple
from uuid import UUID

import typer

if TYPE_CHECKING:
    from adapters.settings import Settings
    from domain.onboarding.service_documents import ServiceDocumentFields

app = typer.Typer(no_args_is_help=True, help="Add terms and policies that users agree to.")


class Text(NamedTuple):
    """The text of a document in one locale."""

    locale: str
    file: Path
    title: str


def translation(argument: str) -> Text:
    """Parse LOCALE:FILE:TITLE."""
    locale, *rest = argument.split(":", 2)
    if len(rest) != 2:
        raise typer.BadParameter("give LOCALE:FILE:TITLE")
    return Text(locale, Path(rest[0]), rest[1])


@app.command()
def add(
    file: Annotated[Path, typer.Argument(help="File with the text in HTML.")],
    *,
    document_type: Annotated[str, typer.Option("--type", help="Kind of document, for example `terms`.")],
    version: Annotated[str, typer.Option(help="A label; the version that is added last is the latest.")],
    title: Annotated[str, typer.Option(help="Title of the text.")],
    locale: Annotated[str, typer.Option(help="Locale of the text.")] = "en_US",
    organization: Annotated[
        str | None, typer.Option(metavar="NAME", help="Organization of the document; all if absent.")
    ] = None,
    translations: Annotated[
        list[Text] | None,
        typer.Option("--translation", metavar="LOCALE:FILE:TITLE", parser=translation, help="Another text."),
    ] = None,
) -> None:
    """Add a document, or a new version of one, and print its id."""
    from domain.onboarding.service_documents import ServiceDocumentFields
    from workers.running.part_settings import settings_of_a_part

    texts = [Text(locale, file, title), *(translations or ())]
    if len({text.locale for text in texts}) < len(texts):
        raise typer.BadParameter("there are two texts in one locale", param_hint="--translation")
    titles = {text.locale: text.title for text in texts}
    html = {text.locale: _content(text.file) for text in texts}
    fields = ServiceDocumentFields(document_type, version, locale, None, titles, html)
    typer.echo(asyncio.run(add_document(settings_of_a_part(), fields, organization)))


async def add_document(settings: "Settings", fields: "ServiceDocumentFields", organization: str | None) -> UUID:
    """Add the document, for the organization with this name or for all, and return its id.

    Raises NotFound, InvalidState, Invalid and ServiceDocumentExists.
    """
    from dataclasses import replace

    from domain.core.principal import Principal
    from domain.core.records import Records
    from domain.onboarding.service_documents import ServiceDocument, ServiceDocumentOwner
    from projections.organizations.names import organization_named
    from workers.following.identity_store import identity_store

    operator = Principal(UUID(int=0), UUID(int=0), None, system=True)  # the operator has the database's login
    async with identity_store(settings, "rollbook-service-documents", connections=2) as (store, pool, _):
        if organization is not None:
            organization_id = await pool.ask(lambda cursor: organization_named(cursor, organization))
            fields = replace(fields, organization_id=organization_id)
        commands = Records(ServiceDocument, store, ServiceDocumentOwner(store))
        document, _ = await commands.create(operator, fields)
        return document.id


def _content(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise typer.BadParameter(f"{file} is not UTF-8") from None
