"""Password hashes (Argon2id) in threads of their own, a bounded number at a time and waiting: beyond that 429."""

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from types import TracebackType
from typing import Self, TypeVar

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from adapters.client_address import CLIENT_ADDRESS
from adapters.setting_values import Argon2Parameters
from domain.errors import TooMany

T = TypeVar("T")

WAITING_PER_THREAD = 50
"""A hash takes some 25 ms with the default parameters: whoever is last in the queue waits about a second."""
LONGEST_SCORED = 72
"""Scoring takes time that grows with the cube of the length; nobody guesses what comes after."""


class PasswordPool:
    """Implements `domain.passwords.Passwords`. A context manager: its threads end with it."""

    def __init__(self, parameters: Argon2Parameters, threads: int) -> None:
        self._hasher = PasswordHasher(parameters.time, parameters.memory, parameters.lanes, type=Type.ID)
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="password")
        self._most = threads * (1 + WAITING_PER_THREAD)
        self._busy: Counter[str] = Counter()  # by the address that the request comes from
        self._scoring = Lock()
        # verified for users that do not exist, so that they are not told by the time it takes
        self._nobodys = self._hasher.hash(secrets.token_urlsafe())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def hash(self, password: str) -> str:
        return await self._run(lambda: self._hasher.hash(password))

    async def verify(self, password: str, hashed: str | None) -> bool:
        return await self._run(lambda: self._matches(hashed or self._nobodys, password) and hashed is not None)

    def outdated(self, hashed: str) -> bool:
        return self._hasher.check_needs_rehash(hashed)

    async def score(self, password: str, about: Sequence[str]) -> int:
        return await self._run(lambda: self._guess(password[:LONGEST_SCORED], about))

    def _matches(self, hashed: str, password: str) -> bool:
        try:
            return self._hasher.verify(hashed, password)
        except (VerificationError, InvalidHashError):
            return False

    def _guess(self, password: str, about: Sequence[str]) -> int:
        """The library keeps the words about the user in a variable of its module, hence the lock and the wiping."""
        from zxcvbn import zxcvbn  # noqa: PLC0415 - its word lists are read when the first password is set
        from zxcvbn.matching import RANKED_DICTIONARIES  # noqa: PLC0415

        with self._scoring:
            try:
                return int(
                    zxcvbn(password, user_inputs=[part for each in about for part in (each, *each.split("@"))])["score"]
                )
            finally:
                RANKED_DICTIONARIES.pop("user_inputs", None)

    async def _run(self, work: Callable[[], T]) -> T:
        """Raises TooMany when the queue is full, or half full of work for the address of this request."""
        address = CLIENT_ADDRESS.get()
        if self._busy.total() >= self._most or (address and self._busy[address] >= self._most // 2):
            raise TooMany
        self._busy[address] += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, work)
        finally:
            self._busy[address] -= 1
            if not self._busy[address]:
                del self._busy[address]
