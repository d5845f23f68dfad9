"""After every test: no personal value and no secret that it used stands in clear where it must not.

A plugin (see conftest.py). It notes every `Personal`, password and token that comes into being in the test's process,
and looks for them in the raw bytes of the logs and the jobs. Read models may hold what they have to search or sort by.
"""

import json
import re
import secrets
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

import psycopg
import pytest

from adapters.security.passwords import PasswordPool
from adapters.security.tokens import Tokens
from domain.core.personal import Personal

RAW = (
    "events",
    "snapshots",
    "sessions_events",
    "sessions_snapshots",
    "sessions",
    "procrastinate_jobs",
    "procrastinate_events",
    "projections",
    "rebuilds",
    "idempotency_keys",
    "impersonation_requests",
    "user_identifiers",
)
"""The logs, what is derived from them without a need for clear values, the jobs, and the errors of followers."""
SHORTEST = 6
"""Bytes. What is shorter stands in random bytes now and then, and in words that are not personal."""
ADDRESS = re.compile(rb"[\w.+-]{3,}@[\w-]{3,}\.\w{3,}|\+[1-9]\d{10,14}")
OF_ORGANIZATIONS = (b"help@", b"support@")
"""Addresses of organizations that tests use are no personal values."""
"""E-mail addresses and phone numbers: also found when they were not made `Personal`."""


@pytest.fixture(autouse=True)
def noted_values(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """The personal values and secrets of this test so far; sought in its database when it is over."""
    values: set[str] = set()
    if "database_url" not in request.fixturenames:
        yield values
        return
    database_url = request.getfixturevalue("database_url")
    _note_what_comes_into_being(values, monkeypatch)
    yield values
    found = in_raw_tables(database_url, values)
    assert not found, f"personal values stand in clear: {found}"


def in_raw_tables(database_url: str, values: set[str], tables: Sequence[str] = RAW) -> list[tuple[str, str]]:
    """Which of the values, and which addresses, stand in which tables, as text or inside JSON."""
    sought = {(value, form) for value in values for form in _forms(value) if len(form) >= SHORTEST}
    contents = " UNION ALL ".join(f"SELECT '{each}', string_agg(record_send(t), '') FROM {each} t" for each in tables)
    with psycopg.connect(database_url, autocommit=True) as connection:
        rows = connection.cursor(binary=True).execute(contents.encode()).fetchall()
    found = {(table, value) for table, content in rows for value, form in sought if form in (content or b"")}
    addresses = {(table, address) for table, content in rows for address in ADDRESS.findall(content or b"")}
    found |= {(table, address.decode()) for table, address in addresses if not address.startswith(OF_ORGANIZATIONS)}
    return sorted(found)


def _forms(value: str) -> set[bytes]:
    return {value.encode(), json.dumps(value)[1:-1].encode(), json.dumps(value, ensure_ascii=False)[1:-1].encode()}


def _note_what_comes_into_being(values: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    make, sign, hash_, urlsafe = Personal.__init__, Tokens._sign, PasswordPool.hash, secrets.token_urlsafe

    def noting_personal(self: Personal, subject: UUID, value: str | None) -> None:
        if value is not None:
            values.add(value)
        make(self, subject, value)

    def noting_token(self: Tokens, *args: Any) -> str:
        values.add(token := sign(self, *args))
        return token

    async def noting_password(self: PasswordPool, password: str) -> str:
        values.add(password)
        return await hash_(self, password)

    def noting_secret(nbytes: int | None = None) -> str:
        values.add(secret := urlsafe(nbytes))
        return secret

    monkeypatch.setattr(Personal, "__init__", noting_personal)
    monkeypatch.setattr(Tokens, "_sign", noting_token)
    monkeypatch.setattr(PasswordPool, "hash", noting_password)
    monkeypatch.setattr(secrets, "token_urlsafe", noting_secret)
