"""Which passwords are accepted (ruling K114)."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import uuid4

import pytest

from domain.core.errors import Invalid
from domain.core.personal import Personal
from domain.people.passwords import PasswordPolicy, PasswordTooLong, PwnedPassword, Rating, WeakPassword, words_about
from domain.people.users import User


class Scores:
    """Rates every password alike, and keeps the words that it was given."""

    def __init__(self, score: int = 2) -> None:
        self.score = score
        self.about: list[str] = []

    async def hash(self, password: str) -> str:
        return password

    async def verify(self, password: str, hashed: str | None) -> bool:
        return password == hashed

    def outdated(self, hashed: str) -> bool:
        return False

    async def rate(self, password: str, about: Sequence[str]) -> Rating:
        self.about = list(about)
        return Rating(self.score)


class Leaks:
    def __init__(self, times: int | None) -> None:
        self.times = times

    async def times_seen(self, password: str) -> int | None:
        return self.times


POLICY = PasswordPolicy(Scores(), Leaks(0), 8)


@pytest.mark.parametrize(
    ("policy", "password", "refused"),
    [
        (POLICY, "x" * 256, PasswordTooLong),
        (POLICY, "x" * 7, WeakPassword),
        (replace(POLICY, min_length=12), "x" * 11, WeakPassword),
        (replace(POLICY, passwords=Scores(1)), "x" * 8, WeakPassword),
        (replace(POLICY, breached=Leaks(1)), "x" * 8, PwnedPassword),
    ],
)
async def test_unacceptable_passwords_are_refused_at_their_argument(
    policy: PasswordPolicy, password: str, refused: type[Invalid]
) -> None:
    with pytest.raises(refused) as refusal:
        await policy.require(password, [], argument="new_password")
    assert refusal.value.argument == "new_password"


@pytest.mark.parametrize("password", ["x" * 8, "x" * 255, " " * 8, "e\u0301" * 8])
@pytest.mark.parametrize("times", [0, None])
async def test_other_passwords_are_accepted_even_if_leaks_are_unavailable(password: str, times: int | None) -> None:
    await replace(POLICY, breached=Leaks(times)).require(password, [])


async def test_the_length_is_that_of_the_normal_form() -> None:
    with pytest.raises(WeakPassword):
        await POLICY.require("e\u0301" * 4, [])


async def test_names_contacts_and_the_name_of_the_service_are_known_words() -> None:
    user = User.create(
        uuid4(), classification="customer", individual_id=None, email="ann@p.test", phone="+15550100", username="annie"
    )
    user.first_name, user.last_name = Personal(user.id, "Ann"), Personal(user.id, "Miller")
    scores = Scores()
    await replace(POLICY, passwords=scores).require("x" * 8, words_about(user))
    assert scores.about == ["ann@p.test", "+15550100", "annie", "Ann", "Miller", "rollbook"]
