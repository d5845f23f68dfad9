"""The check of a logged-in user's own password, which some commands ask for again."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from domain.core.errors import Forbidden
from domain.core.personal import revealed
from domain.core.ports import Hasher
from domain.people.login_attempts import Attempts
from domain.people.login_names import normal_login
from domain.people.users import User


class WrongPassword(Forbidden, code="invalid-credentials"):
    """The password is wrong."""


@dataclass(frozen=True, eq=False)
class OwnPassword:
    """Checks passwords. Wrong ones count like failed logins of the user's login name (ruling K10)."""

    hasher: Hasher
    attempts: Attempts

    async def require(
        self,
        user: User,
        password: str,
        address: str,
        *,
        argument: str = "password",
        first: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Raise WrongPassword unless it is the user's password, TooMany after too many wrong ones.

        `address` is the network address of the client. A right password forgives no earlier failure. `first` is called
        after the attempt is counted and before the password is checked; if it refuses, the attempt does not count.
        """
        attempt = await self.attempts.begin(normal_login(user.login_name or str(user.id)), address)
        try:
            if first is not None:
                await first()
            matches = await self.hasher.verify(password, revealed(user.password_hash))
        except Exception:
            await attempt.withdraw()
            raise
        if not matches:
            await attempt.fail()
            raise WrongPassword(argument=argument)
        await attempt.forgive()
