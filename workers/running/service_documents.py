"""`rollbook service-documents`: an operator adds terms and policies (ruling K109).

As in `workers.cli`, every import of weight is inside its command.
"""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple
from uuid import UUID

import typer

if TYPE_CHECKING:
    from adapters.settings import Settings
    from domain.onboarding.service_documents import ServiceDocumentFields

app = typer.Typer(no_args_is_help=True, help="Terms and policies that people agree to.")


class Text(NamedTuple):
    """What a document says in a locale."""

    locale: str
    file: Path
    title: str


def translation(argument: str) -> Text:
    """Return the text that LOCALE:FILE:TITLE names."""
    locale, *rest = argument.split(":", 2)
    if len(rest) != 2:
        raise typer.BadParameter("give LOCALE:FILE:TITLE")
    return Text(locale, Path(rest[0]), rest[1])


@app.command()
def add(
    file: Annotated[Path, typer.Argument(help="File with the text in HTML.")],
    *,
    document_type: Annotated[str, typer.Option("--type", help="What it is, as `terms`.")],
    version: Annotated[str, typer.Option(help="A label; the latest is the one added last.")],
    title: Annotated[str, typer.Option(help="Title of the text.")],
    locale: Annotated[str, typer.Option(help="Locale of the text.")] = "en_US",
    organization: Annotated[
        str | None, typer.Option(metavar="NAME", help="Organization that it is for; all when absent.")
    ] = None,
    translations: Annotated[
        list[Text] | None,
        typer.Option("--translation", metavar="LOCALE:FILE:TITLE", parser=translation, help="A further text."),
    ] = None,
) -> None:
    """Add a document, or a further version of one, and print its id."""
    from domain.onboarding.service_documents import ServiceDocumentFields
    from workers.running.part_settings import settings_of_a_part

    texts = [Text(locale, file, title), *(translations or ())]
    if len({each.locale for each in texts}) < len(texts):
        raise typer.BadParameter("there are two texts in one locale", param_hint="--translation")
    titles = {each.locale: each.title for each in texts}
    html = {each.locale: _content(each.file) for each in texts}
    fields = ServiceDocumentFields(document_type, version, locale, None, titles, html)
    typer.echo(asyncio.run(add_document(settings_of_a_part(), fields, organization)))


async def add_document(settings: "Settings", fields: "ServiceDocumentFields", organization: str | None) -> UUID:
    """Add the document, of the organization with this name; return its id.

    Raises NotFound, InvalidState, Invalid and ServiceDocumentExists.
    """
    from dataclasses import replace

    from domain.core.principal import Principal
    from domain.onboarding.service_documents import ServiceDocument, ServiceDocumentOwner, ServiceDocuments
    from projections.organizations.names import organization_named
    from workers.following.identity_store import identity_store

    operator = Principal(UUID(int=0), UUID(int=0), None, system=True)  # whoever has the keys of the database
    async with identity_store(settings, "rollbook-service-documents", connections=2) as (store, pool, _):
        if organization is not None:
            organization_id = await pool.ask(lambda cursor: organization_named(cursor, organization))
            fields = replace(fields, organization_id=organization_id)
        commands = ServiceDocuments(ServiceDocument, store, ServiceDocumentOwner(store))
        document, _ = await commands.create(operator, fields)
        return document.id


def _content(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise typer.BadParameter(f"{file} is not UTF-8") from None
