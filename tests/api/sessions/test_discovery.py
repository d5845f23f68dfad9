"""What is published about tokens: the keys and the configuration (rulings K11, K124, K125, K137 and K146)."""

from pathlib import Path
from typing import Any

import httpx2

from adapters.security.key_files import with_keys
from adapters.settings import Settings
from api.documents.sessions.sessions import CLAIMS
from tests.api.sessions.test_sessions import log_in, whoami
from tests.api.sessions.test_tokens import read_token
from tests.support.world.product import ADMIN_EMAIL, World, a_world
from workers.running.signing_keys import rotated

CONFIGURATION, JWKS = "/.well-known/openid-configuration", "/.well-known/jwks.json"


async def published(world: World, path: str, **headers: str) -> httpx2.Response:
    answer = await world.client.get(path, headers=headers)
    assert answer.status_code == 200
    return answer


async def test_clients_may_keep_what_is_published_for_five_minutes(database_url: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        for path in (CONFIGURATION, JWKS):
            answer = await published(world, path, Authorization="Bearer nonsense")
            assert answer.headers["content-type"] == "application/json"
            assert answer.headers.get_list("cache-control") == ["public, max-age=300"]


async def test_the_configuration_is_that_of_the_settings(database_url: str) -> None:
    settings: dict[str, Any] = {"public_url": "https://id.example.org/identity/", "issuer": "https://id.example.org"}
    async with a_world(database_url, projecting=False, **settings) as world:
        document = (await published(world, CONFIGURATION, Host="evil.example.org")).json()
        assert document == {
            "issuer": "https://id.example.org",
            "jwks_uri": "https://id.example.org/identity/.well-known/jwks.json",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["EdDSA"],
            "claims_supported": list(CLAIMS),
        }
        claims = read_token((await log_in(world, ADMIN_EMAIL))["id-token"])
        assert claims["iss"] == document["issuer"]
        assert claims.keys() <= set(document["claims_supported"])


async def test_a_rotation_is_recorded_and_refuses_no_token(database_url: str, tmp_path: Path) -> None:
    with_keys(Settings(data=tmp_path), make=True)
    async with a_world(database_url, projecting=False, data=tmp_path, signing_key=None) as world:
        former = (await log_in(world, ADMIN_EMAIL))["access-token"]
        kid = await rotated(world.settings)
        await whoami(world, former)
        async with world.pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT convert_from(state, 'utf8') FROM events WHERE topic = 'signing-key.rotated'"
            )
            ((state,),) = await cursor.fetchall()
        assert kid in state
        assert "PRIVATE" not in state
    async with a_world(database_url, projecting=False, data=tmp_path, signing_key=None) as world:
        keys = [key["kid"] for key in (await published(world, JWKS)).json()["keys"]]
        assert (keys[0], len(keys)) == (kid, 2)
        await whoami(world, former)
