"""Bodies of getting in."""

from typing import Any

import pytest
from pydantic import ValidationError

from api.documents import common
from api.documents.sessions import internal_auth, sessions


def a_login(**more: Any) -> dict[str, Any]:
    return {"username": "ann", "password": "secret"} | more


TAKEN = [
    (sessions.Login, a_login()),
    (sessions.Login, a_login(**{"access-token-expiration-seconds": 3600, "simulated-queue-delay": 60_000})),
    (sessions.Login, a_login(username="", password="")),
    (sessions.Authenticate, {}),
    (internal_auth.InternalAuth, {"namespace": "n", "sa-name": "s", "sa-token-sha512": "no hex"}),
    (common.EmptyBody, {}),
]

REFUSED = [
    (sessions.Login, {"username": "ann"}, "/password", "missing"),
    (
        sessions.Login,
        a_login(**{"access-token-expiration-seconds": 3601}),
        "/access-token-expiration-seconds",
        "less_than_equal",
    ),
    (
        sessions.Login,
        a_login(**{"access-token-expiration-seconds": "60"}),
        "/access-token-expiration-seconds",
        "int_type",
    ),
    (
        sessions.Login,
        a_login(**{"access-token-expiration-seconds": 60.0}),
        "/access-token-expiration-seconds",
        "int_type",
    ),
    (
        sessions.Login,
        a_login(**{"access-token-expiration-seconds": True}),
        "/access-token-expiration-seconds",
        "int_type",
    ),
    (
        sessions.Login,
        a_login(**{"refresh-token-expiration-seconds": 2_592_001}),
        "/refresh-token-expiration-seconds",
        "less_than_equal",
    ),
    (sessions.Login, a_login(**{"simulated-queue-delay": 60_001}), "/simulated-queue-delay", "less_than_equal"),
    (sessions.Authenticate, {"edge-request": None}, "/edge-request", "bool_type"),
    (sessions.RefreshToken, {"refresh-token": "a" * 2049}, "/refresh-token", "too_long"),
    (common.EmptyBody, {"x": 1}, "/x", "extra_forbidden"),
]


def test_a_password_shows_neither_in_the_request_nor_in_its_refusal() -> None:
    body = a_login(password="correct horse", **{"totp-code": "123456"})
    login = sessions.Login.model_validate(body)
    with pytest.raises(ValidationError) as raised:
        sessions.Login.model_validate(body | {"locale": 1})
    assert "horse" not in repr(login)
    assert "123456" not in repr(login)
    assert "horse" not in str(raised.value)
