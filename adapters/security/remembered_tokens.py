"""A cache of verified tokens, because verifying a signature takes longer than the rest of a request.

Only the validity of the signature is cached, which never changes. Whether the session is valid is checked in every
request.
"""

import hashlib
import time

from adapters.security.tokens import LEEWAY
from domain.core.ports import Claims, TokenVerifier

MAX_TOKENS = 20_000


class RememberedTokens:
    """Caches the claims of tokens by their digest. Implements `domain.core.ports.TokenVerifier` over another one."""

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
