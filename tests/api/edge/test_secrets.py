"""What only its owner may know stands in no refusal and in no line of the log (semantics 2)."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.support.world.product import ADMIN_EMAIL, PASSWORD, SERVICE, UNLIMITED, World, a_world

SECRET = "Open-Sesame-4711"
LOGIN, REFRESH = "/v1/login/", "/v1/refresh-token/"
V1, V2 = "/v1/internal-auth/", "/v2/internal-auth/"


def refused_requests() -> Iterator[tuple[str, Any]]:
    """Secrets in their place and wrong in every way; secrets where none belong."""
    for odd in (SECRET, f"{SECRET}\0", SECRET * 500, [SECRET], {SECRET: SECRET}, {"value": SECRET}):
        yield LOGIN, {"username": ADMIN_EMAIL, "password": odd}
        yield LOGIN, {"username": odd, "password": SECRET}
        yield LOGIN, {"username": ADMIN_EMAIL, "password": PASSWORD, "totp-code": [odd]}
        yield REFRESH, {"refresh-token": odd}
        yield V1, {"namespace": SERVICE[0], "sa-name": SERVICE[1], "sa-token-sha512": odd}
        yield V2, {"data": {"type": "internal-auths", "attributes": {"token": odd}}}
        yield LOGIN, {"username": ADMIN_EMAIL, "password": PASSWORD, "access-token-expiration-seconds": odd}
        yield LOGIN, {"username": ADMIN_EMAIL, "password": PASSWORD, "service-document-agreements": [odd]}


async def refusals(world: World) -> str:
    """All that is answered, without the names of members: who calls a member by a secret is told that name."""
    told = ""
    for path, body in refused_requests():
        answer = await world.client.post(path, json=body)
        assert answer.status_code in {400, 401}, answer.text
        told += "".join(error["code"] + error["detail"] + str(error["meta"]) for error in answer.json()["errors"])
    for bearer in (SECRET, f"{SECRET}.{SECRET}.{SECRET}"):
        told += (await world.client.get("/v1/users/", headers={"Authorization": f"Bearer {bearer}"})).text
    return told


async def failures(world: World, database_url: str) -> str:
    """The answers to valid requests when an unexpected error occurs."""
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as owner:
        await owner.execute("ALTER TABLE user_identifiers RENAME TO user_identifiers_away")
        answer = await world.client.post(LOGIN, json={"username": ADMIN_EMAIL, "password": SECRET})
        await owner.execute("ALTER TABLE user_identifiers_away RENAME TO user_identifiers")
    assert answer.status_code == 500
    return answer.text


async def test_no_secret_is_answered_or_logged(database_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Ruling K145."""
    async with a_world(database_url, projecting=False, **UNLIMITED) as world:
        tokens = (await world.client.post(LOGIN, json={"username": ADMIN_EMAIL, "password": PASSWORD})).json()
        handed_out = [tokens[name] for name in ("access-token", "id-token", "refresh-token")]
        again = await world.client.post(REFRESH, json={"refresh-token": tokens["refresh-token"]})
        handed_out += [again.json()["access-token"], again.json()["id-token"]]
        told = await refusals(world) + await failures(world, database_url)
    logged = "".join(capsys.readouterr())
    assert "unhandled" in logged
    assert SECRET not in told
    for secret in (SECRET, PASSWORD, ADMIN_EMAIL, *SERVICE[2:], *handed_out):
        assert secret not in logged
