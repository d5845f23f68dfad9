"""Commands on TOTP configurations (rulings K51 to K53 and K116 to K122)."""

from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID, uuid4

from domain.core.borrowed import Act, require_own_session
from domain.core.codes import hash_of_code
from domain.core.errors import Forbidden
from domain.core.ports import Store, retry_on_conflict
from domain.core.principal import Principal
from domain.people.directory import Directory
from domain.people.own_password import OwnPassword
from domain.people.recovery_codes import new_recovery_codes
from domain.people.security_notices import notices_of
from domain.people.totp import OneTimeCodes, TotpConfigurations, TotpNotFound, configurations_id
from domain.people.totp_uses import UsedCodes
from domain.people.users import User, UserArchived


class PasswordProof(NamedTuple):
    """The password of the caller, and the network address from which they sent it."""

    password: str
    address: str


class CreatedTotp(NamedTuple):
    """A new configuration, its secret, the name of the account in authenticator apps, and the position of its event."""

    id: UUID
    secret: str
    account: str
    position: int


@dataclass(frozen=True, eq=False)
class Totp:
    """Commands on the caller's own configurations. `sessions` is the store of the log of sessions."""

    store: Store
    sessions: Store
    directory: Directory
    own_password: OwnPassword
    codes: OneTimeCodes

    @retry_on_conflict
    async def create(self, principal: Principal) -> CreatedTotp:
        """Create a configuration that is not enabled, and return it.

        Raises Forbidden for services, ImpersonationNotAllowed, TooManyTotpConfigurations.
        """
        require_person(principal)
        require_own_session(principal, "create a TOTP configuration")
        user = await self.store.get(User, principal.user_id)
        configurations = await self._of(user.id) or TotpConfigurations.create(user.id)
        configuration_id, secret = uuid4(), self.codes.new_secret()
        configurations.add(configuration_id, secret)
        position = await self.store.save(configurations)
        return CreatedTotp(configuration_id, secret, account_name(user), position)

    async def enable(
        self, principal: Principal, configuration_id: UUID, proof: PasswordProof, codes: tuple[str, str]
    ) -> tuple[list[str], int]:
        """Enable the configuration by two consecutive codes. Return its recovery codes and the position of the event.

        Raises TotpNotFound, Forbidden, ImpersonationNotAllowed, TotpEnabled, TooMany, WrongPassword,
        NotConsecutiveCodes.
        """
        (await self._require_own(principal, configuration_id, "enable TOTP")).require_none_enabled()
        await self._require_password(principal, proof)
        return await self._enable(principal, configuration_id, codes)

    @retry_on_conflict
    async def _enable(
        self, principal: Principal, configuration_id: UUID, codes: tuple[str, str]
    ) -> tuple[list[str], int]:
        configurations = await self._require_own(principal, configuration_id, "enable TOTP")
        configurations.require_none_enabled()
        configuration = configurations.get(configuration_id)
        counter = await UsedCodes(self.sessions, self.codes).counter_at_enabling(configuration, *codes)
        recovery_codes = new_recovery_codes()
        configurations.enable(configuration_id, counter, [hash_of_code(code) for code in recovery_codes])
        user = await self.store.get(User, principal.user_id)
        notices = notices_of(user, "totp-enabled")
        return recovery_codes, await self.store.save(configurations, *notices, unchanged=[user])

    async def replace_recovery_codes(
        self, principal: Principal, configuration_id: UUID, proof: PasswordProof
    ) -> tuple[list[str], int]:
        """Replace the recovery codes of the enabled configuration. Return new ones and the position of the event.

        Raises TotpNotFound, Forbidden, ImpersonationNotAllowed, TotpNotEnabled, TooMany, WrongPassword.
        """
        (await self._require_own(principal, configuration_id, "replace recovery codes")).require_enabled(
            configuration_id
        )
        await self._require_password(principal, proof)
        return await self._replace_recovery_codes(principal, configuration_id)

    @retry_on_conflict
    async def _replace_recovery_codes(self, principal: Principal, configuration_id: UUID) -> tuple[list[str], int]:
        configurations = await self._require_own(principal, configuration_id, "replace recovery codes")
        recovery_codes = new_recovery_codes()
        hashes = [hash_of_code(code) for code in recovery_codes]
        configurations.replace_recovery_codes(configuration_id, hashes)
        return recovery_codes, await self.store.save(configurations)

    async def disable(self, principal: Principal, configuration_id: UUID, proof: PasswordProof) -> int:
        """Disable the configuration. Return the position of the event.

        System administrators disable those of all users, with their own password: the way back for users who lost
        their device and their recovery codes. Raises TotpNotFound, Forbidden, ImpersonationNotAllowed, TooMany,
        WrongPassword, UserArchived.
        """
        owner_id = await self._owner(principal, configuration_id)
        require_own_session(principal, "disable TOTP")
        await self._require_password(principal, proof)
        return await self._disable(owner_id, configuration_id)

    @retry_on_conflict
    async def _disable(self, owner_id: UUID, configuration_id: UUID) -> int:
        user = await self.store.get(User, owner_id)
        if user.archived:
            raise UserArchived
        configurations = await self.store.get(TotpConfigurations, configurations_id(owner_id))
        configurations.disable(configuration_id)
        if not configurations.pending_events:
            return await self.store.save()
        return await self.store.save(configurations, *notices_of(user, "totp-disabled"), unchanged=[user])

    @retry_on_conflict
    async def delete(self, principal: Principal, configuration_id: UUID) -> int:
        """Delete a configuration of the caller that is not enabled. Return the position of the event.

        Raises TotpNotFound, also for configurations of others; ImpersonationNotAllowed, TotpEnabled.
        """
        configurations = await self._of(principal.user_id)
        if configurations is None:
            raise TotpNotFound
        configurations.get(configuration_id)
        require_own_session(principal, "delete a TOTP configuration")
        configurations.remove(configuration_id)
        return await self.store.save(configurations)

    async def _require_own(self, principal: Principal, configuration_id: UUID, act: Act) -> TotpConfigurations:
        """Return the caller's configurations.

        Raises TotpNotFound; Forbidden for a system administrator, who may read those of others; and
        ImpersonationNotAllowed.
        """
        if await self._owner(principal, configuration_id) != principal.user_id:
            raise Forbidden
        require_own_session(principal, act)
        return await self.store.get(TotpConfigurations, configurations_id(principal.user_id))

    async def _owner(self, principal: Principal, configuration_id: UUID) -> UUID:
        """Return the user whose configuration it is. Raises TotpNotFound when the principal may not read it."""
        own = await self._of(principal.user_id)
        if own is not None and configuration_id in own.configurations:
            return principal.user_id
        owner_id = await self.directory.user_of_totp(configuration_id) if principal.system else None
        if owner_id is None:
            raise TotpNotFound
        return owner_id

    async def _of(self, user_id: UUID) -> TotpConfigurations | None:
        return await self.store.find(TotpConfigurations, configurations_id(user_id))

    async def _require_password(self, principal: Principal, proof: PasswordProof) -> None:
        user = await self.store.get(User, principal.user_id)
        await self.own_password.require(user, proof.password, proof.address)


def account_name(user: User) -> str:
    """Return the name that authenticator apps show for the user's account."""
    return user.login_name or str(user.id)


def require_person(principal: Principal) -> None:
    """Raise Forbidden for a service account, which has no second factor."""
    if principal.service:
        raise Forbidden
