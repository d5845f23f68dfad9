"""The second factor of a login: a TOTP code or a recovery code (rulings K119 and K120)."""

from dataclasses import dataclass
from typing import NamedTuple

from domain.core.audited import Audited
from domain.core.codes import bare_code, hash_of_code
from domain.core.ports import Store
from domain.people.security_notices import notices_of
from domain.people.totp import OneTimeCodes, TotpConfigurations, TotpInvalid, TotpRequired
from domain.people.totp_uses import TotpUse, UsedCodes
from domain.people.users import User

TOTP_DIGITS = 6


class SecondFactor(NamedTuple):
    """A proved second factor, to be saved with the session so that it proves nothing again.

    `identity` and `sessions` are aggregates of the two logs.
    """

    identity: tuple[Audited, ...] = ()
    sessions: tuple[Audited, ...] = ()


@dataclass(frozen=True, eq=False)
class SecondFactors:
    """Checks codes. `sessions` is the store of the log of sessions."""

    sessions: Store
    codes: OneTimeCodes

    async def prove(
        self, user: User, configurations: TotpConfigurations | None, code: str | None
    ) -> SecondFactor | None:
        """Return the proved factor; None for a user without an enabled TOTP configuration, who needs none.

        Raises TotpRequired without a code, TotpInvalid for a code that is wrong or was used before.
        """
        if configurations is None or configurations.enabled is None:
            return None
        if code is None:
            raise TotpRequired
        digits = bare_code(code)
        if len(digits) != TOTP_DIGITS:
            if not configurations.use_recovery_code(hash_of_code(code)):
                raise TotpInvalid
            return SecondFactor(identity=(configurations, *notices_of(user, "recovery-code-used")))
        enabled = configurations.enabled
        counter = await UsedCodes(self.sessions, self.codes).counter_at_login(enabled, digits)
        if counter is None:
            raise TotpInvalid
        return SecondFactor(sessions=(TotpUse.create(enabled.id, counter),))
