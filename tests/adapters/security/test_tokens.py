"""Access and id tokens, without HTTP; what the edge makes of them is in tests/api/sessions/test_sessions.py."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import jwt
import pytest
import time_machine

from adapters.security.signing_keys import FixedKeys, new_key, written
from adapters.security.tokens import LEEWAY, RememberedTokens, Tokens
from domain.core.errors import TokenExpired, Unauthenticated
from domain.core.ports import Claims

KEYS = FixedKeys(written(new_key()))
(KEY,) = KEYS.known()
TOKENS = Tokens(KEYS, "us", "them")


def later(seconds: float = 60) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def test_an_access_token_names_user_session_and_organization() -> None:
    user, session, organization = (uuid4() for _ in range(3))
    claims = TOKENS.verify(TOKENS.access_token(user, session, organization, later()))
    assert claims[:3] == (user, session, organization)
    assert TOKENS.verify(TOKENS.access_token(user, session, None, later())).organization_id is None


def test_further_claims_replace_none_of_ours() -> None:
    user, session, impersonator = (uuid4() for _ in range(3))
    further = {"sub": "somebody", "org": "all", "act": "x", "study": "17"}
    token = TOKENS.access_token(user, session, None, later(), impersonator=impersonator, further=further)
    claims = jwt.decode(token, options={"verify_signature": False})
    assert TOKENS.verify(token)[:3] == (user, session, None)
    assert (claims["study"], claims["act"]) == ("17", {"sub": str(impersonator)})


def test_an_expired_token_is_told_from_a_wrong_one() -> None:
    with pytest.raises(TokenExpired):
        TOKENS.verify(TOKENS.access_token(uuid4(), uuid4(), None, later(-31)))


@pytest.mark.parametrize(
    ("claim", "seconds", "good"),
    [("exp", -28, True), ("iat", 28, True), ("iat", 32, False), ("nbf", 28, True), ("nbf", 32, False)],
)
def test_clocks_may_differ_by_half_a_minute(claim: str, seconds: float, good: bool) -> None:
    payload = jwt.decode(TOKENS.access_token(uuid4(), uuid4(), None, later()), options={"verify_signature": False})
    moved = {**payload, claim: int(later(seconds).timestamp())}
    token = jwt.encode(moved, KEY.private, "EdDSA", headers={"typ": "at+jwt", "kid": KEY.kid})
    if good:
        assert TOKENS.verify(token)
    else:
        with pytest.raises(Unauthenticated):
            TOKENS.verify(token)


@pytest.mark.parametrize("headers", [{"typ": "JWT"}, {"typ": None}, {"typ": "at+jwt "}])
def test_a_token_of_another_type_is_refused(headers: dict[str, str | None]) -> None:
    payload = jwt.decode(TOKENS.access_token(uuid4(), uuid4(), None, later()), options={"verify_signature": False})
    with pytest.raises(Unauthenticated):
        TOKENS.verify(jwt.encode(payload, KEY.private, "EdDSA", headers={"kid": KEY.kid, **headers}))


@pytest.mark.parametrize(
    "other",
    [
        Tokens(FixedKeys(written(new_key())), "us", "them"),
        Tokens(KEYS, "they", "them"),
        Tokens(KEYS, "us", "others"),
    ],
)
def test_tokens_of_others_are_refused(other: Tokens) -> None:
    with pytest.raises(Unauthenticated):
        TOKENS.verify(other.access_token(uuid4(), uuid4(), None, later()))


@pytest.mark.parametrize("token", ["", "a", "a.b.c", "é.é.é", "eyJhbGciOiJub25lIn0.e30."])
def test_text_that_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(Unauthenticated):
        TOKENS.verify(token)


def test_an_id_token_is_no_access_token() -> None:
    token = TOKENS.id_token(uuid4(), uuid4(), later(), {"email": "ann@people.test"})
    with pytest.raises(Unauthenticated):
        TOKENS.verify(token)


def test_the_published_key_verifies_and_holds_no_secret() -> None:
    token = TOKENS.access_token(uuid4(), uuid4(), None, later())
    (published,) = TOKENS.jwks()["keys"]
    assert set(published) == {"kty", "crv", "x", "kid", "use", "alg"}
    assert jwt.get_unverified_header(token)["kid"] == published["kid"]
    assert jwt.decode(token, jwt.PyJWK(published), algorithms=["EdDSA"], audience="them", issuer="us")
    assert Tokens(KEYS, "us", "them").jwks() == TOKENS.jwks()


def test_a_token_about_one_user_does_not_authenticate_another() -> None:
    user = uuid4()
    token = TOKENS.id_token(user, uuid4(), later(), {"sub": "somebody"})
    assert jwt.decode(token, options={"verify_signature": False})["sub"] == str(user)


class Counting:
    """Tokens are "good" with or without more text; everything else is refused."""

    def __init__(self) -> None:
        self.calls = 0
        self.claims = Claims(uuid4(), uuid4(), None, 1_000)
        self.now = 0

    def verify(self, token: str) -> Claims:
        self.calls += 1
        if not token.startswith("good"):
            raise Unauthenticated
        if self.now >= self.claims.expires_at + LEEWAY:
            raise TokenExpired
        return self.claims


@time_machine.travel(999, tick=False)
def test_a_good_token_is_looked_at_once() -> None:
    inner = Counting()
    tokens = RememberedTokens(inner)
    assert [tokens.verify("good") for _ in range(3)] == [inner.claims] * 3
    assert inner.calls == 1


def test_an_expired_token_is_refused_although_it_was_good() -> None:
    inner = Counting()
    tokens = RememberedTokens(inner)
    with time_machine.travel(999, tick=False):
        tokens.verify("good")
    inner.now = 1_030
    with time_machine.travel(1_030, tick=False), pytest.raises(TokenExpired):
        tokens.verify("good")


@time_machine.travel(999, tick=False)
def test_a_bad_token_is_never_remembered() -> None:
    inner = Counting()
    tokens = RememberedTokens(inner)
    for calls in (1, 2):
        with pytest.raises(Unauthenticated):
            tokens.verify("bad")
        assert inner.calls == calls


@time_machine.travel(999, tick=False)
def test_not_more_are_kept_than_fit() -> None:
    inner = Counting()
    tokens = RememberedTokens(inner, max_tokens=2)
    for token in ("good 1", "good 2", "good 3", "good 2", "good 1"):
        tokens.verify(token)
    assert inner.calls == 4
