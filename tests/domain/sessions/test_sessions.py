"""What logins, refreshing and revoking decide, without a database."""

from collections.abc import Sequence
from uuid import UUID, uuid4

import pytest

from adapters.security.totp import PyotpCodes
from domain.core.errors import TooMany
from domain.core.permissions import Permissions
from domain.onboarding.agreements import Agreements, UnknownServiceDocument
from domain.people.passwords import Rating
from domain.people.users import User
from domain.sessions.commands import Login, Sessions, SignedIn
from domain.sessions.sessions import (
    InvalidCredentials,
    PasswordResetRequired,
    UserDisabled,
    UserNotConfirmed,
    session_id_of_token,
)
from tests.support.doubles import Grants, MemoryDirectory, MemoryStore
from tests.support.world.people import a_user

ANN = "ann@people.test"


class Plain:
    """Passwords that are their own hash, "old:" before the outdated ones."""

    def __init__(self) -> None:
        self.verified: list[str | None] = []
        self.full = self.crowded = False

    async def hash(self, password: str) -> str:
        if self.full:
            raise TooMany
        return password

    async def verify(self, password: str, hashed: str | None) -> bool:
        if self.crowded:
            raise TooMany
        self.verified.append(hashed)
        return hashed is not None and hashed.removeprefix("old:") == password

    def outdated(self, hashed: str) -> bool:
        return hashed.startswith("old:")

    async def rate(self, password: str, about: Sequence[str]) -> Rating:
        return Rating(4)


class Counted:
    """Attempts: names, addresses and what came of them; and whether there were too many."""

    def __init__(self) -> None:
        self.outcomes: list[tuple[str, str, str]] = []
        self.excess = False

    async def begin(self, name: str, address: str) -> "CountedAttempt":
        if self.excess:
            raise TooMany(60)
        return CountedAttempt(self, name, address)

    async def unlock(self, name: str) -> None:
        self.outcomes.append((name, "", "unlocked"))


class CountedAttempt:
    def __init__(self, attempts: Counted, name: str, address: str) -> None:
        self._attempts = attempts
        self._of = (name, address)

    async def succeed(self) -> None:
        self._attempts.outcomes.append((*self._of, "success"))

    async def forgive(self) -> None:
        self._attempts.outcomes.append((*self._of, "forgiven"))

    async def fail(self) -> None:
        self._attempts.outcomes.append((*self._of, "failure"))

    async def withdraw(self) -> None:
        self._attempts.outcomes.append((*self._of, "nothing"))


class Fallen:
    """Sessions that no longer stand."""

    def __init__(self) -> None:
        self.sessions: set[UUID] = set()

    async def is_live(self, session_id: UUID) -> bool:
        return session_id not in self.sessions


class Door:
    def __init__(self) -> None:
        self.identity, self.log = MemoryStore(), MemoryStore()
        self.directory = MemoryDirectory(self.identity)
        self.passwords, self.attempts, self.fallen = Plain(), Counted(), Fallen()
        self.sessions = Sessions(
            self.identity, self.log, self.directory, self.passwords, self.attempts, self.fallen,
            PyotpCodes(), Agreements(self.identity, self.directory, Permissions(Grants())),
        )  # fmt: skip

    async def user(self, user: User | None = None, password: str | None = "walrus") -> User:
        user = user or a_user(email=ANN)
        if password is not None:
            user.set_password(password)
        await self.identity.save(user)
        self.directory.emails[ANN] = user.id
        return user

    async def log_in(self, password: str = "walrus", username: str = ANN, **options: object) -> SignedIn:
        return await self.sessions.log_in(Login(username, password, **options), "10.0.0.1")  # type: ignore[arg-type]


async def a_door() -> Door:
    """Return a door at which one user can log in."""
    door = Door()
    await door.user()
    return door


async def test_the_right_password_opens_a_session() -> None:
    door = Door()
    user = await door.user()
    signed_in = await door.log_in(username=" ANN@people.test")
    assert signed_in.session.user_id == user.id
    assert signed_in.session.kind == "password"
    assert door.attempts.outcomes == [(ANN, "10.0.0.1", "success")]
    assert signed_in.refresh_token is not None
    assert session_id_of_token(signed_in.refresh_token) == signed_in.session.id
    (opened,) = door.log.events
    assert signed_in.refresh_token not in repr(opened)


async def test_a_login_is_recorded_with_its_user_as_actor() -> None:
    door = Door()
    user = await door.user(password="old:walrus")
    session = (await door.log_in()).session
    (opened,) = door.log.events
    assert (vars(opened)["by"].actor, vars(opened)["by"].session) == (user.id, session.id)
    assert vars(door.identity.events[-1])["by"].actor == user.id


async def test_a_session_records_the_position_before_its_user_was_read() -> None:
    door = Door()
    await door.user()
    head = await door.identity.save()
    await door.log_in()
    (opened,) = door.log.events
    assert vars(opened)["opened_at_position"] == head


@pytest.mark.parametrize("username", ["nobody@people.test", ANN])
async def test_failures_are_counted_and_look_alike(username: str) -> None:
    door = await a_door()
    with pytest.raises(InvalidCredentials):
        await door.log_in("wrong", username)
    assert door.attempts.outcomes == [(username, "10.0.0.1", "failure")]
    assert len(door.passwords.verified) == 1  # one hash is computed for an unknown user too


async def test_unknown_and_known_names_cost_the_same_reads() -> None:
    door = await a_door()
    await door.log_in()
    read = []
    for username in (ANN, "nobody@people.test", ANN):
        before = door.identity.found
        with pytest.raises(InvalidCredentials):
            await door.log_in("wrong", username)
        read.append(door.identity.found - before)
    assert read == [1, 1, 1]


async def test_a_throttled_login_verifies_no_password() -> None:
    door = await a_door()
    door.attempts.excess = True
    with pytest.raises(TooMany):
        await door.log_in()
    assert door.passwords.verified == []


async def test_a_login_whose_password_cannot_be_verified_is_no_failure() -> None:
    door = await a_door()
    door.passwords.crowded = True
    with pytest.raises(TooMany):
        await door.log_in()
    assert door.attempts.outcomes == [(ANN, "10.0.0.1", "nothing")]


async def test_a_user_without_a_password_cannot_log_in() -> None:
    door = Door()
    await door.user(a_user(live=False), password=None)
    with pytest.raises(InvalidCredentials):
        await door.log_in()


async def test_an_archived_user_is_as_good_as_unknown() -> None:
    door = Door()
    user = await door.user()
    door.identity.streams[user.id].archived = True  # type: ignore[attr-defined]  # no command archives yet
    with pytest.raises(InvalidCredentials):
        await door.log_in()
    assert door.passwords.verified == [None]


@pytest.mark.parametrize(
    ("confirmed", "enabled", "reset", "refusal"),
    [
        (False, True, False, UserNotConfirmed),
        (False, False, False, UserDisabled),
        (True, False, False, UserDisabled),
        (True, True, True, PasswordResetRequired),
    ],
)
async def test_the_state_is_told_after_the_right_password_only(
    confirmed: bool, enabled: bool, reset: bool, refusal: type[Exception]
) -> None:
    door, user = Door(), a_user(live=False)
    user.confirmed, user.enabled, user.reset_required = confirmed, enabled, reset
    await door.user(user)
    with pytest.raises(refusal):
        await door.log_in()
    with pytest.raises(InvalidCredentials):
        await door.log_in("wrong")
    assert door.log.events == []


async def test_a_login_with_an_unknown_document_opens_no_session() -> None:
    door = await a_door()
    with pytest.raises(UnknownServiceDocument):
        await door.log_in(service_documents=[uuid4()])
    assert door.log.events == []


async def test_an_outdated_hash_is_replaced_after_a_login() -> None:
    door = Door()
    user = await door.user(password="old:walrus")
    await door.log_in()
    hashed = (await door.identity.get(User, user.id)).password_hash
    assert hashed is not None
    assert hashed.value == "walrus"
    recorded = len(door.identity.events)
    await door.log_in()
    assert len(door.identity.events) == recorded


async def test_a_login_succeeds_without_capacity_for_a_new_hash() -> None:
    door = Door()
    await door.user(password="old:walrus")
    door.passwords.full = True
    assert await door.log_in()
