"""Access and id tokens, without HTTP; what the edge makes of them is in tests/api/sessions/test_sessions.py."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from adapters.security.tokens import Tokens
from domain.core.errors import TokenExpired, Unauthenticated


def a_key() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


KEY = a_key()
TOKENS = Tokens(KEY, "us", "them")


def later(seconds: float = 60) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def test_an_access_token_names_user_session_and_organization() -> None:
    user, session, organization, impersonator = (uuid4() for _ in range(4))
    claims = TOKENS.verify(TOKENS.access_token(user, session, organization, later(), impersonator=impersonator))
    assert claims[:3] == (user, session, organization)
    assert claims.impersonator == impersonator
    plain = TOKENS.verify(TOKENS.access_token(user, session, None, later()))
    assert (plain.organization_id, plain.impersonator) == (None, None)


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
    token = jwt.encode(moved, KEY, "EdDSA", headers={"typ": "at+jwt"})
    if good:
        assert TOKENS.verify(token)
    else:
        with pytest.raises(Unauthenticated):
            TOKENS.verify(token)


@pytest.mark.parametrize("headers", [{"typ": "JWT"}, {"typ": None}, {"typ": "at+jwt "}])
def test_a_token_of_another_type_is_refused(headers: dict[str, str | None]) -> None:
    payload = jwt.decode(TOKENS.access_token(uuid4(), uuid4(), None, later()), options={"verify_signature": False})
    with pytest.raises(Unauthenticated):
        TOKENS.verify(jwt.encode(payload, KEY, "EdDSA", headers=headers))


@pytest.mark.parametrize(
    "other", [Tokens(a_key(), "us", "them"), Tokens(KEY, "they", "them"), Tokens(KEY, "us", "others")]
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
    assert Tokens(KEY, "us", "them").jwks() == TOKENS.jwks()


def test_a_token_about_one_user_does_not_authenticate_another() -> None:
    user = uuid4()
    token = TOKENS.id_token(user, uuid4(), later(), {"sub": "somebody"})
    assert jwt.decode(token, options={"verify_signature": False})["sub"] == str(user)
