"""Hashes passwords by Argon2id and scores them, in threads with bounded queues; a full queue answers 429."""

import asyncio
import os
import secrets
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from adapters.security.client_address import CLIENT_ADDRESS
from adapters.security.password_scorer import PasswordScorer
from adapters.setting_values import Argon2Parameters
from domain.core.errors import TooMany
from domain.people.passwords import Rating, normal_password

T = TypeVar("T")

WAITING_PER_THREAD = 50
"""With the default parameters a hash takes some 25 ms, so the last one in the queue waits about a second."""
NICENESS = 10
"""While others log in, half of the checks take 2.1 ms or less instead of 4.7 ms (bench/logins.py)."""
MAX_WAITING_SCORES = 20
"""A score takes 0.2 s of processor time at most."""
MAX_SCORED = 72
"""Characters of a password that are scored. The time grows with their cube, and an attacker must guess these anyway."""


class BoundedPool:
    """Threads with a bounded queue, of which no client address may fill more than half (ruling O14).

    `initializer` runs in each thread as it starts. What it changes also holds for processes that the thread starts.
    """

    def __init__(self, name: str, threads: int, waiting: int, *, initializer: Callable[[], None] | None = None) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name, initializer=initializer)
        self._max_busy = threads + waiting
        self._busy: Counter[str] = Counter()  # by client address

    async def run(self, work: Callable[[], T]) -> T:
        """Return the result of `work`. Raises TooMany when the queue is full, or half full of this address's work."""
        address = CLIENT_ADDRESS.get()
        if self._busy.total() >= self._max_busy or (address and self._busy[address] >= self._max_busy // 2):
            raise TooMany
        self._busy[address] += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, work)
        finally:
            self._busy[address] -= 1
            if not self._busy[address]:
                del self._busy[address]

    def close(self, *, wait: bool) -> None:
        """Drop waiting work; with `wait`, return when running work has ended."""
        self._executor.shutdown(wait=wait, cancel_futures=True)


def _yield_to_others() -> None:
    """Lower the priority of this thread, so that requests that need no hash are answered first.

    On Linux the call changes the thread only; elsewhere it would change the whole process.
    """
    if sys.platform == "linux":
        os.nice(NICENESS)


class PasswordPool:
    """Implements `domain.people.passwords.Passwords`. Its threads and its process end with the `with` block."""

    def __init__(self, parameters: Argon2Parameters, threads: int) -> None:
        self._hasher = PasswordHasher(parameters.time, parameters.memory, parameters.lanes, type=Type.ID)
        self._scorer = PasswordScorer()
        self._hashing = BoundedPool("password", threads, threads * WAITING_PER_THREAD, initializer=_yield_to_others)
        self._scoring = BoundedPool("password-score", 1, MAX_WAITING_SCORES)  # the scorer is for one thread
        # verified for unknown users, so that the response time does not reveal whether a user exists
        self._dummy_hash = self._hasher.hash(secrets.token_urlsafe())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hashing.close(wait=False)
        self._scorer.close()  # so that the running score ends
        self._scoring.close(wait=True)
        self._scorer.close()  # a process that was starting at that moment

    async def hash(self, password: str) -> str:
        return await self._hashing.run(lambda: self._hasher.hash(normal_password(password)))

    async def verify(self, password: str, hashed: str | None) -> bool:
        matches = await self._hashing.run(lambda: self._matches(hashed or self._dummy_hash, password))
        return matches and hashed is not None

    def outdated(self, hashed: str) -> bool:
        return self._hasher.check_needs_rehash(hashed)

    async def rate(self, password: str, about: Sequence[str]) -> Rating:
        return await self._scoring.run(lambda: self._scorer.rate(normal_password(password)[:MAX_SCORED], about))

    def _matches(self, hashed: str, password: str) -> bool:
        try:
            return self._hasher.verify(hashed, normal_password(password))
        except (VerificationError, InvalidHashError):
            return False
