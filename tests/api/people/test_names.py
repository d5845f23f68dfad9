"""How names and passwords are compared, over HTTP: by the domain's own functions, whatever the database's collation."""

import ast
import re
import shutil
import subprocess
import unicodedata
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from adapters.embedded import launcher as embedded
from adapters.embedded.postgres import EmbeddedPostgres
from adapters.settings import APPLICATION_ROLE
from migrations.runner import migrate_sync
from tests.conftest import shared_folder, used
from tests.support.logins import LOGIN_PASSWORD
from tests.support.world.product import PASSWORD, World, a_world

pytestmark = pytest.mark.slow

EVERYBODY = {"filter[include-participants]": "true", "filter[include-unverified]": "true"}


def decomposed(text: str) -> str:
    return unicodedata.normalize("NFD", text)


async def onboard(world: World, organization: UUID, status: int = 201, /, **attributes: Any) -> Any:
    at_once = {"auto-sign-up": True, "auto-confirm": True, "password": PASSWORD, "notifications": []}
    given = {"organization": str(organization), **at_once, **attributes}
    body = {"data": {"type": "onboarding-requests", "attributes": given}}
    answer = await world.post("/v1/onboarding-requests/", body, world.system, status)
    return answer["data"]["attributes"]["claimed-by"] if status == 201 else answer["errors"][0]


async def logged_in(world: World, name: str, password: str = PASSWORD) -> bool:
    answer = await world.client.post("/v1/login/", json={"username": name, "password": password})
    return answer.status_code == 201


@pytest.mark.parametrize("other", ["strasse", "ﬆrasse", "\u017ftrasse"])
async def test_letters_that_casefold_alike_are_different_names(database_url: str, other: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        people = [
            await onboard(world, north, **given)
            for name in ("straße", other)
            for given in ({"username": name}, {"patient-email": f"{name}@people.test"})
        ]
        assert len(set(people)) == 4
        assert await logged_in(world, "STRAßE")
        assert await logged_in(world, f"{other}@PEOPLE.test")


async def test_composed_and_decomposed_names_and_passwords_are_the_same(database_url: str) -> None:
    password = "café-été-zèbre-9"
    async with a_world(database_url) as world:
        north = await world.organization()
        named = {"username": decomposed("Zoë"), "patient-email": decomposed("zoë@people.test")}
        zoe = await onboard(world, north, **named, password=decomposed(password))
        for name in ("zoë", decomposed("ZOË"), "Zoë@people.test", decomposed("zoë@PEOPLE.test")):
            for typed in (password, decomposed(password)):
                assert await logged_in(world, name, typed), (name, typed)
        shown = (await world.get(f"/v1/users/{zoe}/", world.system))["data"]["attributes"]
        assert (shown["username"], shown["email"]) == ("Zoë", "zoë@people.test")
        for query in (
            {"filter[username]": decomposed("ZOË")},
            {"email": decomposed("ZOË@people.test")},
            {"text": "ZOË"},
        ):
            found = await world.get("/v1/users/", world.system, **EVERYBODY, **query)
            assert [row["id"] for row in found["data"]] == [zoe], query


async def test_compatible_characters_of_a_password_are_the_same(database_url: str) -> None:
    async with a_world(database_url) as world:
        await onboard(world, await world.organization(), username="ann", password="ﬁne-walrus-trumpet-①")
        assert await logged_in(world, "ann", "fine-walrus-trumpet-1")


async def test_lengths_are_those_of_the_composed_text(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        group = await world.group(north, decomposed("é" * 255))
        shown = await world.get(f"/v2/individual-groups/{group}/", world.system)
        assert shown["data"]["attributes"]["name"] == "é" * 255
        password = "walrus-é-trumpet-7-" + "é" * 236
        await onboard(world, north, username="ann", password=decomposed(password))
        assert await logged_in(world, "ann", password)


async def test_domains_are_compared_in_their_ascii_form(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        ann = await onboard(world, north, **{"patient-email": "ann@Bücher.test"})
        assert await onboard(world, north, **{"patient-email": "ANN@xn--bcher-kva.TEST"}) == ann
        sharp = await onboard(world, north, **{"patient-email": "ann@faß.test"})
        assert await onboard(world, north, **{"patient-email": "ann@fass.test"}) != sharp
        for query in ({"email": "ann@xn--bcher-kva.test"}, {"email": "ANN@BÜCHER.test"}, {"text": "ann@BÜCH"}):
            found = await world.get("/v1/users/", world.system, **EVERYBODY, **query)
            assert [row["id"] for row in found["data"]] == [ann], query


async def test_numbers_are_compared_in_their_international_form(database_url: str) -> None:
    async with a_world(database_url) as world:
        ann = await onboard(world, await world.organization(), **{"phone-number": "+4407911123456"})
        for typed in ("+4407911123456", "+447911123456"):
            found = await world.get("/v1/users/", world.system, **EVERYBODY, **{"filter[phone-number]": typed})
            assert [row["id"] for row in found["data"]] == [ann], typed
        assert await logged_in(world, "+44 7911 123456")


@pytest.mark.parametrize(
    "email", ["ann@xn--.test", "ann@xn--a.test", "ann@a\u200db.test", "ann@\u2488com.test"], ids=ascii
)
async def test_a_domain_that_is_none_is_refused(database_url: str, email: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        refusal = await onboard(world, uuid.uuid4(), 400, **{"patient-email": email})
        assert (refusal["code"], refusal["source"]) == (
            "invalid-attribute",
            {"pointer": "/data/attributes/patient-email"},
        )


@pytest.mark.parametrize("name", ["\u200b", "\u3164", "\u2800", "\u00ad\u200d", "\u202e ", "\ufe0f"], ids=ascii)
async def test_a_name_that_shows_nothing_is_blank(database_url: str, name: str) -> None:
    async with a_world(database_url) as world:
        given = {"name": name, "organization-id": str(await world.organization())}
        body = {"data": {"type": "individual-groups", "attributes": given}}
        (error,) = (await world.post("/v1/individual-groups/", body, world.system, 400))["errors"]
        assert error["source"] == {"pointer": "/data/attributes/name"}


async def found_in_any_case(world: World) -> None:
    """`ISPIRTO` finds `ispirto` and the reverse, by every filter that ignores case."""
    for name, typed, thing in (("ispirto", "ISPIRTO", "iskele"), ("ILICALI", "ilicali", "IZGI")):
        organization = await world.organization(thing.lower())
        group = await world.group(organization, thing)
        sought = thing.swapcase()
        user = await onboard(world, organization, **{"username": name, "patient-email": f"{name}@people.test"})
        await world.catch_up()
        searches: list[tuple[str, dict[str, str], str]] = [
            ("/v1/organizations/", {"filter[name][contains]": sought}, str(organization)),
            ("/v2/individual-groups/", {"filter[text]": sought}, str(group)),
            ("/v2/individual-groups/", {"name": sought}, str(group)),
            ("/v1/users/", {**EVERYBODY, "filter[username]": typed}, user),
            ("/v1/users/", {**EVERYBODY, "email": f"{typed}@PEOPLE.test"}, user),
            ("/v1/users/", {**EVERYBODY, "text": typed}, user),
        ]
        for path, query, expected in searches:
            found = await world.get(path, world.system, **query)
            assert [row["id"] for row in found["data"]] == [expected], (path, query)
        assert await logged_in(world, typed)
        assert await logged_in(world, f"{typed}@people.test")


@pytest.fixture
def turkish_database_url(database_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A migrated database that lower-cases "I" to a dotless one; on a server of its own where the tests' cannot."""
    name = f"turkish_{uuid.uuid4().hex}"
    try:
        made = create_turkish(database_server, name, "LOCALE_PROVIDER icu ICU_LOCALE 'tr'")
    except psycopg.Error:
        made = None
    if made is not None:
        yield made
        with psycopg.connect(database_server, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
        return
    home = shared_folder() / f"rb-{name[:20]}"
    locales = home / "locales"
    locales.mkdir(parents=True)
    compiler = shutil.which("localedef")
    compile_turkish = [str(compiler), "-i", "tr_TR", "-f", "UTF-8", str(locales / "tr_TR.UTF-8")]
    if compiler is None or subprocess.run(compile_turkish, check=False).returncode:
        pytest.skip("this machine has no Turkish locale; tests/test_layout.py proves that SQL folds no text")
    for folder in (home, locales):
        folder.chmod(0o755)
    monkeypatch.setitem(embedded.BARE_ENVIRONMENT, "LOCPATH", str(locales))
    server = EmbeddedPostgres(home, durable=False, discard=True)
    with used(server):
        yield create_turkish(server.dsn("postgres"), name, "LOCALE_PROVIDER libc LOCALE 'tr_TR.UTF-8'")


def create_turkish(server: str, name: str, locale: str) -> str:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' {locale}".encode())
    url = make_conninfo(server, dbname=name)
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT lower('ISPIRTO')").fetchone() == ("\u0131sp\u0131rto",)
    migrate_sync(url)
    with psycopg.connect(url) as connection:
        connection.execute(f"ALTER ROLE {APPLICATION_ROLE} LOGIN PASSWORD '{LOGIN_PASSWORD}'".encode())
    return url


async def test_names_are_found_in_any_case(database_url: str) -> None:
    async with a_world(database_url) as world:
        await found_in_any_case(world)


async def test_names_are_found_in_any_case_on_a_turkish_database(turkish_database_url: str) -> None:
    async with a_world(turkish_database_url) as world:
        await found_in_any_case(world)


FOLDING = re.compile(r"\b(lower|upper|initcap|casefold)\s*\(|ilike|citext", re.IGNORECASE)


def test_sql_never_folds_case() -> None:
    root = Path(__file__).parents[3]
    found = []
    for layer in ("adapters", "api", "domain", "projections", "workers"):
        for path in (root / layer).rglob("*.py"):
            found += [f"{path.name}: {text}" for text in texts_in(ast.parse(path.read_text())) if FOLDING.search(text)]
    assert found == []


def texts_in(tree: ast.AST) -> Iterator[str]:
    """String literals that are no docstrings: the parts of SQL among them."""
    described = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in described:
            yield node.value
