"""`rollbook service-documents add`: what it adds is read over HTTP (ruling K109)."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.support.running import rollbook
from tests.support.world.product import World, a_world

pytestmark = pytest.mark.slow

REQUIRED = ("--type", "terms", "--version", "1", "--title", "Terms")


async def command(world: World, *arguments: str) -> tuple[int, str, str]:
    settings = world.settings
    assert settings.master_key is not None
    keys = {"DATABASE_URL": settings.owner_dsn(), "ROLLBOOK_MASTER_KEY": settings.master_key.get_secret_value()}
    done = await asyncio.to_thread(rollbook, "service-documents", "add", *arguments, **keys)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def english(tmp_path: Path) -> str:
    (tmp_path / "en.html").write_text("<p>English</p>", encoding="utf-8")
    return str(tmp_path / "en.html")


@pytest.fixture
def spanish(tmp_path: Path) -> str:
    (tmp_path / "es.html").write_text("<p>Español</p>", encoding="utf-8")
    return str(tmp_path / "es.html")


async def read(world: World, document_id: str, **query: str) -> dict[str, Any]:
    answer = await world.client.get(f"/v1/service-documents/{document_id}/", params={"html": "true", **query})
    attributes: dict[str, Any] = answer.json()["data"]["attributes"]
    return attributes


async def test_the_command_prints_the_id_of_the_document(database_url: str, english: str, spanish: str) -> None:
    async with a_world(database_url) as world:
        status, told, error = await command(world, english, *REQUIRED)
        assert (status, error) == (0, "")
        attributes = await read(world, told.strip())
        assert (attributes["type"], attributes["version"], attributes["title"]) == ("terms", "1", "Terms")
        assert (attributes["html"], attributes["organization"]) == ("<p>English</p>", None)
        clinic = await world.organization("clinic")
        translated = ("--locale", "es_US", "--translation", f"en_US:{english}:In English: yes")
        status, told, error = await command(world, spanish, *REQUIRED, "--organization", "clinic", *translated)
        assert (status, error) == (0, "")
        attributes = await read(world, told.strip(), locale="es_US")
        assert attributes["organization"] == {"id": str(clinic)}
        assert (attributes["html"], attributes["title"]) == ("<p>Español</p>", "Terms")
        assert (await read(world, told.strip(), locale="en_US"))["title"] == "In English: yes"


async def test_refusals_are_one_line(database_url: str, english: str, tmp_path: Path) -> None:
    (tmp_path / "empty.html").touch()
    async with a_world(database_url) as world:
        await command(world, english, *REQUIRED)
        for arguments, refusal in (
            (
                (english, *REQUIRED),
                "A document of this type and version exists already for the organization, or for all organizations.",
            ),
            ((english, *REQUIRED, "--organization", "nobody"), "No organization has the name nobody."),
            ((english, *REQUIRED, "--type", "Terms"), "This type is not acceptable."),
            ((english, *REQUIRED, "--version", "1" * 33), "This version is not acceptable."),
            ((english, *REQUIRED, "--title", ""), "This title is not acceptable."),
            ((english, *REQUIRED, "--locale", "de_DE"), "This locale is not acceptable."),
            ((str(tmp_path / "empty.html"), *REQUIRED), "This html is not acceptable."),
        ):
            assert await command(world, *arguments) == (1, "", f"rollbook: {refusal}\n")
        missing = await command(world, str(tmp_path / "missing.html"), *REQUIRED)
        assert missing[0] == 1
        assert missing[2].startswith("rollbook: ")
        for more in (("--translation", f"en_US:{english}:Again"), ("--translation", "en_US")):
            assert (await command(world, english, *REQUIRED, *more))[0] == 2
