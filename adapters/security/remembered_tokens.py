"""Tokens whose signature was found good, so that it is looked at once: that takes longer than the rest of a request.

Only that the token is genuine is remembered, which nothing can change; whether its session still counts is asked anew
for every request.
"""

import hashlib
import time

from adapters.security.tokens import LEEWAY
from domain.core.ports import Claims, TokenVerifier

MAX_TOKENS = 20_000


class RememberedTokens:
    """Implements `domain.core.ports.TokenVerifier` over another. Keeps digests, not tokens."""

    def __init__(self, verifier: TokenVerifier, max_tokens: int = MAX_TOKENS) -> None:
        self._max_tokens = max_tokens
        self._verifier = verifier
        self._known: dict[bytes, Claims] = {}

    def verify(self, token: str) -> Claims:
        """As the verifier below, which alone refuses."""
        digest = hashlib.sha256(token.encode()).digest()
        known = self._known.get(digest)
        if known is not None and time.time() < known.expires_at + LEEWAY:
            return known
        self._known.pop(digest, None)
        claims = self._verifier.verify(token)
        if len(self._known) >= self._max_tokens:
            del self._known[next(iter(self._known))]  # the one that was met first
        self._known[digest] = claims
        return claims
