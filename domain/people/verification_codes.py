"""Confirmation and reset codes: they prove that a person reads the messages of a contact (rulings K30 to K33)."""

import hmac
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple, Protocol
from uuid import UUID, uuid4, uuid5

from eventsourcing.domain import event

from domain.core.audited import Audited
from domain.core.codes import bare_code
from domain.core.errors import Invalid
from domain.core.messages import Channel
from domain.core.ports import Lookup, Store

Purpose = Literal["confirm", "reset"]
CodeState = Literal["valid", "used", "void"]

DIGITS = 8
NO_CODE = UUID(int=0)
"""The id under which a try is counted when there is no code, so that the time of the answer does not reveal that."""


class CodeMismatch(Invalid, code="code-mismatch", argument="confirmation_code"):
    """The code is not valid for this user."""


class CodeExpired(Invalid, code="code-expired", argument="confirmation_code"):
    """The code has expired."""


class CodeTries(Protocol):
    """Counts the wrong tries of codes, so that concurrent tries never exceed the limit (ruling K32)."""

    async def count(self, message_ids: Collection[UUID], outstanding: Collection[UUID], right: UUID | None) -> bool:
        """Count a wrong try of each of these codes, or none if `right` was typed. Return whether it had a try left.

        As soon as one of the outstanding codes has no try left, none of them has (ruling K19).
        """
        ...


class CodeLifetimes(NamedTuple):
    """The lifetimes of codes in seconds; that of a code in a text message is never longer than `sms`."""

    confirm: int
    reset: int
    sms: int


class CodeDerivation:
    """Derives each code from the id of its message, so that no code is stored in clear before it is sent."""

    def __init__(self, lookup: Lookup, lifetimes: CodeLifetimes) -> None:
        self._lookup = lookup
        self._lifetimes = lifetimes

    def code(self, message_id: UUID) -> str:
        """Return the eight digits, the same for every attempt to send the message."""
        number = int.from_bytes(self._lookup("verification-code", str(message_id))[:8], "big")
        return str(number % 10**DIGITS).zfill(DIGITS)

    def hashed(self, message_id: UUID, typed: str) -> str:
        """Return the keyed hash of a code as it was typed; blanks and hyphens are ignored.

        Without the key, all eight-digit codes could be hashed and compared.
        """
        return self._lookup("verification-code-hash", f"{message_id}:{bare_code(typed)}").hex()

    def lifetime(self, purpose: Purpose, channel: Channel) -> timedelta:
        """Return the lifetime of a new code."""
        seconds = self._lifetimes.confirm if purpose == "confirm" else self._lifetimes.reset
        return timedelta(seconds=min(seconds, self._lifetimes.sms) if channel == "sms" else seconds)


@dataclass(frozen=True)
class VerificationCode:
    """A code that was issued. `id` is the id of its message, `template` the type of that message."""

    id: UUID
    purpose: Purpose
    channel: Channel
    template: str
    locale: str | None
    code_hash: str
    issued_at: datetime
    expires_at: datetime
    state: CodeState = "valid"

    @property
    def expired(self) -> bool:
        """Return whether the lifetime of the code has ended."""
        return datetime.now(UTC) >= self.expires_at


class VerificationCodes(Audited):
    """The codes of one user: the last one of each purpose and channel, under a key made of both."""

    TOPIC = "verification-codes"

    user_id: UUID
    codes: dict[str, VerificationCode] = field(default_factory=dict)

    class Created(Audited.Created):
        """A user is about to get their first code."""

        TOPIC = "verification-codes.created"
        user_id: UUID

    class Issued(Audited.Event):
        """A code was issued; the former one of the same purpose and channel is void. The hash is keyed (ruling K137).

        `lifetime` is in seconds. `locale` is that of the message when the user has none.
        """

        TOPIC = "verification-code.issued"
        user_id: UUID
        message_id: UUID
        purpose: Purpose
        channel: Channel
        template: str
        locale: str | None
        code_hash: str
        lifetime: int

        def apply(self, aggregate: "VerificationCodes") -> None:
            end = self.timestamp + timedelta(seconds=self.lifetime)
            aggregate.codes[_key(self.purpose, self.channel)] = VerificationCode(
                self.message_id, self.purpose, self.channel, self.template, self.locale, self.code_hash,
                self.timestamp, end,
            )  # fmt: skip

    class Used(Audited.Event):
        """A code was used; the other codes of its purpose are void."""

        TOPIC = "verification-code.used"
        user_id: UUID
        message_id: UUID

    class Voided(Audited.Event):
        """Codes became void before they were used."""

        TOPIC = "verification-code.voided"
        user_id: UUID
        message_ids: list[UUID]

    @classmethod
    def create(cls, user_id: UUID) -> "VerificationCodes":
        """Return the codes of a user who has none."""
        return cls._create(cls.Created, id=verification_codes_id(user_id), user_id=user_id)

    def issue(
        self,
        derivation: CodeDerivation,
        purpose: Purpose,
        channel: Channel,
        template: str,
        *,
        locale: str | None = None,
    ) -> None:
        """Issue a code, which a job sends in a message of this type. `locale` is used if the user has none."""
        message_id = uuid4()
        self.trigger_event(
            self.Issued,
            user_id=self.user_id,
            message_id=message_id,
            purpose=purpose,
            channel=channel,
            template=template,
            locale=locale,
            code_hash=derivation.hashed(message_id, derivation.code(message_id)),
            lifetime=int(derivation.lifetime(purpose, channel).total_seconds()),
        )

    def of_purpose(self, purpose: Purpose) -> list[VerificationCode]:
        """Return the last codes of the purpose, of all channels, whatever their state."""
        return [code for code in self.codes.values() if code.purpose == purpose]

    def message(self, message_id: UUID) -> VerificationCode | None:
        """Return the code that the message carries, if it still is the last one of its purpose and channel."""
        return next((code for code in self.codes.values() if code.id == message_id), None)

    @property
    def last_ends_at(self) -> datetime | None:
        """Return when the lifetimes of the last codes of both purposes have ended, void or not; None without a code.

        A code for a forgotten password confirms a sign-up too (ruling K5).
        """
        return max((code.expires_at for code in self.codes.values()), default=None)

    def use(self, code: VerificationCode) -> None:
        """Record that the code was used. The other codes of its purpose become void."""
        self._used(self.user_id, code.id)

    def void(self, codes: Iterable[VerificationCode]) -> None:
        """Make those of the codes void that are still valid."""
        valid = [code.id for code in codes if code.state == "valid"]
        if valid:
            self._voided(self.user_id, valid)

    @event(Used)
    def _used(self, user_id: UUID, message_id: UUID) -> None:  # noqa: ARG002
        used = self.message(message_id)
        assert used is not None, "only the last codes can be used"
        for key, code in self.codes.items():
            if code.purpose == used.purpose and code.state == "valid":
                self.codes[key] = replace(code, state="used" if code.id == message_id else "void")

    @event(Voided)
    def _voided(self, user_id: UUID, message_ids: Sequence[UUID]) -> None:  # noqa: ARG002
        for key, code in self.codes.items():
            if code.id in message_ids:
                self.codes[key] = replace(code, state="void")


def verification_codes_id(user_id: UUID) -> UUID:
    """Return the id of the user's codes."""
    return uuid5(user_id, "verification-codes")


def _key(purpose: Purpose, channel: Channel) -> str:
    return f"{purpose}/{channel}"


@dataclass(frozen=True, eq=False)
class CodeCheck:
    """Checks codes that were typed."""

    tries: CodeTries
    derivation: CodeDerivation

    async def find(
        self, codes: Sequence[VerificationCode], typed: str, channel: Channel | None = None
    ) -> VerificationCode:
        """Return which of a user's last codes of a purpose was typed: a valid one, or a used one within its lifetime.

        The code must be of the channel, if one is given. A valid code is returned even if its lifetime has ended.
        Anything else counts as a wrong try of all these codes. Raises CodeMismatch for it, and for the right code when
        no try is left (rulings K4, K19 and K32).
        """
        found = None
        for code in codes:
            same = hmac.compare_digest(code.code_hash, self.derivation.hashed(code.id, typed))
            if same and code.state != "void" and channel in {None, code.channel}:
                found = code
        if not codes:
            self.derivation.hashed(NO_CODE, typed)
        outstanding = [code.id for code in codes if code.state == "valid" and not code.expired]
        right = None if found is None else found.id
        left = await self.tries.count([code.id for code in codes] or [NO_CODE], outstanding, right)
        if found is None or not left or (found.expired and found.state == "used"):
            raise CodeMismatch
        return found


async def void_codes(store: Store, user_id: UUID) -> list[VerificationCodes]:
    """Make all codes of the user void, because the account is another person's now. Return what is to be saved."""
    codes = await store.find(VerificationCodes, verification_codes_id(user_id))
    if codes is None:
        return []
    codes.void(codes.codes.values())
    return [codes]
