"""Steps of a history about TOTP configurations."""

from collections.abc import Callable
from contextlib import suppress
from random import Random
from uuid import UUID, uuid4

from domain.core.errors import DomainError
from domain.people.totp import TotpConfigurations
from domain.people.totp_uses import TotpUse
from tests.support.history_steps.made import MadeAggregates, Saving

CHANGES: tuple[Callable[[TotpConfigurations, UUID], object], ...] = (
    lambda totp, _: totp.add(uuid4(), "SECRET"),
    lambda totp, changed: totp.enable(changed, 1, ["first", "second"]),
    lambda totp, changed: totp.disable(changed),
    lambda totp, changed: totp.remove(changed),
    lambda totp, changed: totp.replace_recovery_codes(changed, ["first", "second", "third"]),
    lambda totp, _: totp.use_recovery_code("first"),
)


class TotpSteps(MadeAggregates):
    """What happens to second factors. `_counter` is that of the last code that was used."""

    def __init__(self, store: Saving, session_store: Saving, randomness: Random) -> None:
        super().__init__(store, session_store, randomness)
        self._totp_of: dict[UUID, TotpConfigurations] = {}
        self._counter = 0

    async def _totp(self) -> None:
        user_id = self._one(self._users).id
        totp = self._totp_of.setdefault(user_id, TotpConfigurations.create(user_id))
        known = list(totp.configurations)
        change = self._random.choice(CHANGES) if known else CHANGES[0]
        with suppress(DomainError):  # not possible at the moment
            change(totp, self._one(known) if known else user_id)
        await self._store.save(totp)

    async def _use_totp(self) -> None:
        known = [each for totp in self._totp_of.values() for each in totp.configurations]
        if known:
            self._counter += 1
            await self._sessions_store.save(TotpUse.create(self._one(known), self._counter))
