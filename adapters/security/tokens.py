"""Access and id tokens: JWTs signed with Ed25519, which any holder of the published key can verify."""

import hashlib
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

import jwt

from adapters.security.signing_keys import SigningKeys
from domain.core.errors import TokenExpired, Unauthenticated
from domain.core.ports import Claims, TokenVerifier

ALGORITHM = "EdDSA"
ACCESS = "at+jwt"
"""`typ` of access tokens (RFC 9068). It tells them from id tokens, which the same key signs."""
ID = "JWT"
NO_CLAIMS: Mapping[str, str] = MappingProxyType({})
LEEWAY = 30
"""Seconds by which the clocks of machines that run Rollbook may differ (ruling O24)."""
MAX_TOKENS = 20_000
"""The most tokens that are remembered."""


class Tokens:
    """Signs tokens and verifies its own. Implements `domain.core.ports.TokenVerifier`."""

    def __init__(self, keys: SigningKeys, issuer: str, audience: str) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience

    def access_token(
        self,
        user_id: UUID,
        session_id: UUID,
        organization_id: UUID | None,
        expires_at: datetime,
        *,
        impersonator: UUID | None = None,
        further: Mapping[str, str] = NO_CLAIMS,
    ) -> str:
        """Return a token with which its bearer may call as the user until `expires_at` while the session is valid.

        `further` are claims for other applications; they replace none of ours.
        """
        claims = {**further, "org": None if organization_id is None else str(organization_id)}
        return self._sign(ACCESS, user_id, session_id, expires_at, claims | _acting(impersonator))

    def id_token(
        self,
        user_id: UUID,
        session_id: UUID,
        expires_at: datetime,
        about: Mapping[str, Any],
        *,
        impersonator: UUID | None = None,
    ) -> str:
        """Return a token that tells a client which user has logged in, with the claims `about`. It grants no access."""
        return self._sign(ID, user_id, session_id, expires_at, {**about, **_acting(impersonator)})

    def verify(self, token: str) -> Claims:
        try:
            key = self._keys.find(jwt.get_unverified_header(token).get("kid"))
            if key is None:
                raise Unauthenticated
            decoded = jwt.decode_complete(
                token,
                key.public,
                algorithms=[ALGORITHM],
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY,
                options={"require": ["exp", "iat", "sub", "sid", "iss", "aud"]},
            )
            if decoded["header"].get("typ") != ACCESS:
                raise Unauthenticated
            return _claims(decoded["payload"])
        except jwt.ExpiredSignatureError:
            raise TokenExpired from None
        except (jwt.InvalidTokenError, ValueError, TypeError, AttributeError):
            raise Unauthenticated from None

    def jwks(self) -> dict[str, Any]:
        """Return the document of /.well-known/jwks.json (RFC 7517)."""
        common = {"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": ALGORITHM}
        return {"keys": [{**common, "x": key.x, "kid": key.kid} for key in self._keys.known() if key.verifies]}

    def _sign(self, kind: str, user_id: UUID, session_id: UUID, expires_at: datetime, further: dict[str, Any]) -> str:
        payload = further | {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": str(user_id),
            "sid": str(session_id),
            "iat": datetime.now(UTC),
            "exp": expires_at,
        }
        key = self._keys.known()[0]
        return jwt.encode(payload, key.private, ALGORITHM, headers={"kid": key.kid, "typ": kind})


class RememberedTokens:
    """Caches the claims of tokens by their digest. Implements `domain.core.ports.TokenVerifier` over another one.

    Verifying a signature takes longer than the rest of a request. Only its validity is cached, which never changes;
    whether the session is valid is checked in every request.
    """

    def __init__(self, verifier: TokenVerifier, max_tokens: int = MAX_TOKENS) -> None:
        self._max_tokens = max_tokens
        self._verifier = verifier
        self._known: dict[bytes, Claims] = {}

    def verify(self, token: str) -> Claims:
        """Return the claims of the token, from the cache or the verifier. Raises what the verifier raises."""
        digest = hashlib.sha256(token.encode()).digest()
        known = self._known.get(digest)
        if known is not None and time.time() < known.expires_at + LEEWAY:
            return known
        self._known.pop(digest, None)
        claims = self._verifier.verify(token)
        if len(self._known) >= self._max_tokens:
            del self._known[next(iter(self._known))]  # the oldest one
        self._known[digest] = claims
        return claims


def _acting(impersonator: UUID | None) -> dict[str, Any]:
    """Return the claims of a token of an impersonated session: who acts as the user, also as RFC 8693 has it."""
    if impersonator is None:
        return {}
    return {"impersonated-by": str(impersonator), "act": {"sub": str(impersonator)}}


def _claims(payload: dict[str, Any]) -> Claims:
    organization = payload.get("org")
    return Claims(
        UUID(payload["sub"]),
        UUID(payload["sid"]),
        None if organization is None else UUID(organization),
        payload["exp"],
    )
