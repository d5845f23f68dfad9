"""TOTP configurations: the second factor of a user (RFC 6238; rulings K116 to K121)."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID, uuid5

from eventsourcing.domain import event

from domain.core.audited import Audited
from domain.core.errors import Conflict, Invalid, InvalidState, NotFound, Unauthenticated
from domain.core.personal import Personal
from domain.core.ports import Store

STEP_SECONDS = 30
MAX_NOT_ENABLED = 10
ENABLING_WINDOW, LOGIN_WINDOW = 2, 1
"""How many steps the counter of a code may differ from that of the present time."""


class TotpNotFound(NotFound):
    """The TOTP configuration does not exist, or the caller may not see it."""


class TooManyTotpConfigurations(Conflict):
    """You have too many TOTP configurations that are not enabled."""


class TotpEnabled(InvalidState):
    """A TOTP configuration of the user is enabled."""


class TotpNotEnabled(InvalidState):
    """The TOTP configuration is not enabled."""


class NotConsecutiveCodes(Invalid, code="totp-invalid"):
    """The codes are not two consecutive codes of the present time."""


class TotpRequired(Unauthenticated, code="totp-required"):
    """A TOTP code is needed."""


class TotpInvalid(Unauthenticated, code="totp-invalid"):
    """The TOTP code is not valid, or no longer."""


class OneTimeCodes(Protocol):
    """Computes TOTP codes."""

    def new_secret(self) -> str:
        """Return a random secret: 20 bytes in base32 without padding."""
        ...

    def matches(self, secret: str, code: str, counter: int) -> bool:
        """Return, in constant time, whether it is the code of the counter."""
        ...


def present_counter() -> int:
    """Return the number of the present time step."""
    return int(datetime.now(UTC).timestamp()) // STEP_SECONDS


@dataclass(frozen=True)
class TotpConfiguration:
    """A secret that the user shares with a device.

    `counter` is that of the last code that enabled it. `enabled_before` is true from then on, even when it is disabled
    again: the secret is never shown again. `recovery_codes` are hashes.
    """

    id: UUID
    secret: Personal
    created_at: datetime
    enabled_at: datetime | None = None
    enabled_before: bool = False
    counter: int = 0
    recovery_codes: tuple[str, ...] = ()


class TotpConfigurations(Audited):
    """The TOTP configurations of a user, of which at most one is enabled."""

    TOPIC = "totp"

    user_id: UUID
    configurations: dict[UUID, TotpConfiguration] = field(default_factory=dict)

    class Created(Audited.Created):
        """The user got a first TOTP configuration."""

        TOPIC = "totp.created"
        user_id: UUID

    class Added(Audited.Event):
        """A TOTP configuration was created; it is not enabled yet."""

        TOPIC = "totp.configuration-added"
        configuration_id: UUID
        user_id: UUID
        secret: Personal

        def apply(self, aggregate: Any) -> None:
            # not in an `@event` method: there, `modified_on` is still the time of the previous event
            added = TotpConfiguration(self.configuration_id, self.secret, self.timestamp)
            aggregate.configurations[self.configuration_id] = added

    class Enabled(Audited.Event):
        """A TOTP configuration was enabled by the codes of two time steps, of which `counter` is the later one.

        `recovery_codes` are the hashes of its recovery codes.
        """

        TOPIC = "totp.enabled"
        configuration_id: UUID
        counter: int
        recovery_codes: list[str]

        def apply(self, aggregate: Any) -> None:
            _change(
                aggregate,
                self.configuration_id,
                enabled_at=self.timestamp,
                enabled_before=True,
                counter=self.counter,
                recovery_codes=tuple(self.recovery_codes),
            )

    class Disabled(Audited.Event):
        """The TOTP configuration was disabled; its recovery codes are no longer valid."""

        TOPIC = "totp.disabled"
        configuration_id: UUID

    class Removed(Audited.Event):
        """The TOTP configuration was deleted by its user, or when the account passed to another person."""

        TOPIC = "totp.removed"
        configuration_id: UUID

    class RecoveryCodesReplaced(Audited.Event):
        """The recovery codes were replaced by new ones, whose hashes are `recovery_codes`."""

        TOPIC = "totp.recovery-codes-replaced"
        configuration_id: UUID
        recovery_codes: list[str]

    class RecoveryCodeUsed(Audited.Event):
        """The user logged in with a recovery code, which is no longer valid; `left` others are."""

        TOPIC = "totp.recovery-code-used"
        configuration_id: UUID
        recovery_code: str
        left: int

    @classmethod
    def create(cls, user_id: UUID) -> "TotpConfigurations":
        """Return the empty set of configurations of a user."""
        return cls._create(cls.Created, id=configurations_id(user_id), user_id=user_id)

    @property
    def enabled(self) -> TotpConfiguration | None:
        """Return the enabled configuration."""
        return next((each for each in self.configurations.values() if each.enabled_at is not None), None)

    def get(self, configuration_id: UUID) -> TotpConfiguration:
        """Return the configuration. Raises TotpNotFound."""
        if configuration_id not in self.configurations:
            raise TotpNotFound
        return self.configurations[configuration_id]

    def add(self, configuration_id: UUID, secret: str) -> None:
        """Add a configuration that is not enabled. Raises TooManyTotpConfigurations."""
        if sum(each.enabled_at is None for each in self.configurations.values()) >= MAX_NOT_ENABLED:
            raise TooManyTotpConfigurations
        self.trigger_event(
            self.Added,
            configuration_id=configuration_id,
            user_id=self.user_id,
            secret=Personal(self.user_id, secret),
        )

    def require_none_enabled(self) -> None:
        """Raise TotpEnabled when a configuration is enabled."""
        if self.enabled is not None:
            raise TotpEnabled

    def enable(self, configuration_id: UUID, counter: int, recovery_codes: Sequence[str]) -> None:
        """Enable the configuration by codes whose later counter is `counter`; `recovery_codes` are hashes.

        Raises TotpNotFound, TotpEnabled.
        """
        self.get(configuration_id)
        self.require_none_enabled()
        self.trigger_event(
            self.Enabled, configuration_id=configuration_id, counter=counter, recovery_codes=list(recovery_codes)
        )

    def disable(self, configuration_id: UUID) -> None:
        """Disable the configuration and end its recovery codes. Raises TotpNotFound."""
        if self.get(configuration_id).enabled_at is not None:
            self._disabled(configuration_id)

    def remove(self, configuration_id: UUID) -> None:
        """Delete the configuration. Raises TotpNotFound, TotpEnabled."""
        if self.get(configuration_id).enabled_at is not None:
            raise TotpEnabled
        self._removed(configuration_id)

    def end(self) -> None:
        """Delete all configurations, because the account passed to another person."""
        for configuration_id in list(self.configurations):
            self._removed(configuration_id)

    def require_enabled(self, configuration_id: UUID) -> TotpConfiguration:
        """Return the configuration. Raises TotpNotFound, TotpNotEnabled."""
        configuration = self.get(configuration_id)
        if configuration.enabled_at is None:
            raise TotpNotEnabled
        return configuration

    def replace_recovery_codes(self, configuration_id: UUID, recovery_codes: Sequence[str]) -> None:
        """Replace the recovery codes by codes with these hashes. Raises TotpNotFound, TotpNotEnabled."""
        self.require_enabled(configuration_id)
        self._recovery_codes_replaced(configuration_id, list(recovery_codes))

    def use_recovery_code(self, recovery_code: str) -> bool:
        """Use up a recovery code of the enabled configuration, by its hash; return False if it is not valid."""
        configuration = self.enabled
        if configuration is None:
            return False
        known = [each for each in configuration.recovery_codes if hmac.compare_digest(each, recovery_code)]
        if known:
            self._recovery_code_used(configuration.id, recovery_code, len(configuration.recovery_codes) - 1)
        return bool(known)

    @event(Disabled)
    def _disabled(self, configuration_id: UUID) -> None:
        _change(self, configuration_id, enabled_at=None, recovery_codes=())

    @event(Removed)
    def _removed(self, configuration_id: UUID) -> None:
        del self.configurations[configuration_id]

    @event(RecoveryCodesReplaced)
    def _recovery_codes_replaced(self, configuration_id: UUID, recovery_codes: list[str]) -> None:
        _change(self, configuration_id, recovery_codes=tuple(recovery_codes))

    @event(RecoveryCodeUsed)
    def _recovery_code_used(self, configuration_id: UUID, recovery_code: str, left: int) -> None:  # noqa: ARG002 - for read models
        others = [each for each in self.configurations[configuration_id].recovery_codes if each != recovery_code]
        _change(self, configuration_id, recovery_codes=tuple(others))


def configurations_id(user_id: UUID) -> UUID:
    """Return the id of the user's TOTP configurations."""
    return uuid5(user_id, "totp")


async def end_totp(store: Store, user_id: UUID) -> list[TotpConfigurations]:
    """Delete the TOTP configurations of an account that passes to another person.

    Return what the caller saves in the same append as the event that hands the account over.
    """
    configurations = await store.find(TotpConfigurations, configurations_id(user_id))
    if configurations is None:
        return []
    configurations.end()
    return [configurations]


def _change(aggregate: TotpConfigurations, configuration_id: UUID, **changes: Any) -> None:
    aggregate.configurations[configuration_id] = replace(aggregate.configurations[configuration_id], **changes)
