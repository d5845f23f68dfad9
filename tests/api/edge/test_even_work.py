"""Known and unknown names cause the same work (ruling K147).

Statements and password hashes are counted, because times depend on what else the machine does. The look-up of a known
user's key, one row by its primary key, is left out: it takes a fraction of the 10 ms that the ruling allows. Operations
that send a code do more work for a known name; their answers take a shortest time (see test_even_times.py).
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from adapters.security.passwords import PasswordPool
from api.edge.even_times import SHORTEST
from tests.api.people.test_codes import ask, registered
from tests.support.world.product import UNLIMITED, a_world

NEW, REGISTERED, NOBODY = "another-battery-staple-7", "new@people.test", "nobody@people.test"
ANN = "ann@people.test"
WRONG_CODE = {"confirmation_code": "00000000"}
WRONG_PASSWORD = {"password": "wrong-password-1"}


@contextmanager
def counted_work(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What is done inside: statements, and hashes of passwords."""
    done: list[str] = []
    execute, verify, hash_ = psycopg.AsyncCursor.execute, PasswordPool.verify, PasswordPool.hash

    async def counted_execute(cursor: Any, query: Any, *arguments: Any, **options: Any) -> Any:
        done.append(str(query))
        return await execute(cursor, query, *arguments, **options)

    async def counted_verify(pool: PasswordPool, password: str, hashed: str | None) -> bool:
        done.append("verify")
        return await verify(pool, password, hashed)

    async def counted_hash(pool: PasswordPool, password: str) -> str:
        done.append("hash")
        return await hash_(pool, password)

    with monkeypatch.context() as patched:
        patched.setattr(psycopg.AsyncCursor, "execute", counted_execute)
        patched.setattr(PasswordPool, "verify", counted_verify)
        patched.setattr(PasswordPool, "hash", counted_hash)
        yield done


@pytest.mark.parametrize(
    ("operation", "known", "body"),
    [
        ("login", ANN, WRONG_PASSWORD), ("login", REGISTERED, WRONG_PASSWORD),
        ("confirm-sign-up", ANN, WRONG_CODE), ("confirm-sign-up", REGISTERED, WRONG_CODE),
        ("confirm-forgot-password", ANN, WRONG_CODE | {"password": NEW}),
        ("confirm-forgot-password", REGISTERED, WRONG_CODE | {"password": NEW}),
    ],
)  # fmt: skip
async def test_a_known_name_causes_the_work_of_an_unknown_one(
    database_url: str, monkeypatch: pytest.MonkeyPatch, operation: str, known: str, body: dict[str, str]
) -> None:
    async with a_world(database_url, projecting=False, **UNLIMITED) as world:
        await world.patient(await world.organization(), ANN)
        await registered(world, REGISTERED)
        done: dict[str, list[str]] = {}
        for name in (known, NOBODY, known, NOBODY):  # the first of each prepares statements
            with counted_work(monkeypatch) as work:
                assert (await ask(world, operation, username=name, **body)).status_code in {400, 401}
            done[name] = [each for each in work if "FROM data_keys" not in each]
        assert done[known] == done[NOBODY]


@pytest.mark.parametrize("operation", ["forgot-password", "resend-confirmation", "resend-invitation"])
async def test_no_answer_to_who_asks_for_a_code_is_quick(database_url: str, tmp_path: Path, operation: str) -> None:
    async with a_world(database_url, projecting=False, outbox=tmp_path / "outbox", **UNLIMITED) as world:
        await world.patient(await world.organization(), ANN)
        loop = asyncio.get_running_loop()
        for name in (ANN, NOBODY):
            began = loop.time()
            assert (await ask(world, operation, username=name)).status_code == 201
            assert loop.time() - began >= SHORTEST
