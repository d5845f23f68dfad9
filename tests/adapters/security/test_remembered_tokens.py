"""A token's signature is looked at once; that it has expired, and what is wrong with it, every time."""

from uuid import uuid4

import pytest
import time_machine

from adapters.security.remembered_tokens import RememberedTokens
from adapters.security.tokens import LEEWAY
from domain.core.errors import TokenExpired, Unauthenticated
from domain.core.ports import Claims


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
