"""Password hashes are bounded, computed outside of the event loop, and take the same time for every user."""

import asyncio
import os
import re
import signal
import sys
import threading
from pathlib import Path

import pytest

from adapters.security.client_address import CLIENT_ADDRESS
from adapters.security.password_scorer import PROGRAM
from adapters.security.passwords import MAX_WAITING_SCORES, NICENESS, WAITING_PER_THREAD, PasswordPool
from adapters.setting_values import Argon2Parameters
from domain.core.errors import TooMany
from domain.people.passwords import Rating
from tests.support.processes import processes, wait_until

HARD_TO_JUDGE = "@({[<691!|1!|7l105+" * 4
"""72 characters that can each stand for several others: the score of the whole takes seconds."""
CHEAP = Argon2Parameters(1, 8, 1)


async def test_a_password_matches_its_own_hash_only() -> None:
    with PasswordPool(CHEAP, 1) as passwords:
        first, second = await passwords.hash("walrus"), await passwords.hash("walrus")
        assert first != second
        assert first.startswith("$argon2id$")
        assert await passwords.verify("walrus", first)
        assert not await passwords.verify("Walrus", first)
        assert not await passwords.verify("walrus", "no hash at all")


async def test_a_missing_hash_matches_no_password() -> None:
    with PasswordPool(CHEAP, 1) as passwords:
        assert not await passwords.verify("walrus", None)


async def test_a_hash_of_other_parameters_still_matches_and_is_outdated() -> None:
    with PasswordPool(CHEAP, 1) as before, PasswordPool(Argon2Parameters(2, 16, 1), 1) as now:
        hashed = await before.hash("walrus")
        assert not before.outdated(hashed)
        assert now.outdated(hashed)
        assert await now.verify("walrus", hashed)


async def test_too_many_waiting_hashes_are_refused() -> None:
    with PasswordPool(CHEAP, 1) as passwords:
        calls = [asyncio.create_task(passwords.hash("walrus")) for _ in range(WAITING_PER_THREAD + 20)]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        refused = [each for each in outcomes if isinstance(each, TooMany)]
        assert len(refused) == 19
        assert all(re.match(r"\$argon2id", each) for each in outcomes if isinstance(each, str))
        assert await passwords.verify("walrus", await passwords.hash("walrus"))


async def test_no_address_holds_more_than_half_of_the_queue() -> None:
    with PasswordPool(CHEAP, 1) as passwords:
        coming_from = CLIENT_ADDRESS.set("192.0.2.7")
        theirs = [asyncio.create_task(passwords.hash("walrus")) for _ in range(WAITING_PER_THREAD + 20)]
        CLIENT_ADDRESS.set("192.0.2.8")
        others = [asyncio.create_task(passwords.hash("walrus")) for _ in range(10)]
        CLIENT_ADDRESS.reset(coming_from)
        outcomes = await asyncio.gather(*theirs, return_exceptions=True)
        assert len([each for each in outcomes if isinstance(each, str)]) == (WAITING_PER_THREAD + 1) // 2
        assert all(await asyncio.gather(*others))
        assert await passwords.hash("walrus")


async def test_hashing_does_not_hold_up_the_event_loop() -> None:
    with PasswordPool(Argon2Parameters(4, 65_536, 1), 1) as passwords:
        hashing = asyncio.create_task(passwords.hash("walrus"))
        turns = 0
        while not hashing.done():
            await asyncio.sleep(0)
            turns += 1
        assert turns > 100


async def test_hashing_yields_to_the_other_threads_of_the_process() -> None:
    own = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    with PasswordPool(CHEAP, 1) as passwords:
        await passwords.hash("walrus")
        (theirs,) = (thread.native_id for thread in threading.enumerate() if thread.name.startswith("password_"))
        assert theirs is not None
        lowered = min(own + NICENESS, 19) if sys.platform == "linux" else own
        assert os.getpriority(os.PRIO_PROCESS, theirs) == lowered
        assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == own


async def test_scoring_keeps_its_priority_so_that_it_answers_on_a_busy_machine() -> None:
    with PasswordPool(CHEAP, 1) as passwords:
        await passwords.rate("walrus", ())
        (pid,) = scorers()
        assert os.getpriority(os.PRIO_PROCESS, pid) == os.getpriority(os.PRIO_PROCESS, 0)


@pytest.mark.parametrize(
    ("password", "about", "good"),
    [
        ("password1", (), False),
        ("qwertyuiop", (), False),
        ("jonathan.smithers", ("jonathan.smithers@people.test",), False),
        ("jonathan.smithers", (), True),
        ("correct horse battery staple", (), True),
        ("é" * 300, (), False),
        (HARD_TO_JUDGE, (), False),
    ],
)
async def test_the_score_of_a_password_follows_the_effort_to_guess_it(
    password: str, about: tuple[str, ...], good: bool
) -> None:
    with PasswordPool(CHEAP, 2) as passwords:
        assert ((await passwords.rate(password, about)).score >= 2) is good


async def test_known_words_of_one_user_do_not_affect_another() -> None:
    with PasswordPool(CHEAP, 2) as passwords:
        name = "jonathan.smithers"
        ratings = await asyncio.gather(*(passwords.rate(name, (name,) if odd % 2 else ()) for odd in range(20)))
        assert {rating.score >= 2 for rating in ratings[::2]} == {True}
        assert {rating.score >= 2 for rating in ratings[1::2]} == {False}


async def test_scoring_holds_up_neither_logins_nor_the_event_loop() -> None:
    with PasswordPool(CHEAP, 1) as passwords:
        hashed = await passwords.hash("walrus")
        assert (await passwords.rate("quite-a-walrus-77", ())).score >= 2  # the process runs
        (pid,) = scorers()
        before = processor_seconds(pid)
        scoring = [asyncio.create_task(passwords.rate(HARD_TO_JUDGE, ())) for _ in range(12)]
        await asyncio.sleep(0)
        assert await passwords.verify("walrus", hashed)
        assert not any(task.done() for task in scoring)
        turns = 0
        while not all(task.done() for task in scoring):
            await asyncio.sleep(0)
            turns += 1
        assert [rating.score for rating in await asyncio.gather(*scoring)] == [0] * 12
        assert turns > 1000
        assert processor_seconds(pid) - before < 12 * 0.3


def scorers() -> list[int]:
    """Ours alone: other tests run at the same time."""
    found = {pid: Path(f"/proc/{pid}/stat") for pid in processes(str(PROGRAM))}
    return [pid for pid, stat in found.items() if stat.read_text().rpartition(")")[2].split()[1] == str(os.getpid())]


def environment_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


def processor_seconds(pid: int) -> float:
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


async def test_no_address_holds_more_than_half_of_the_scores() -> None:
    with PasswordPool(CHEAP, 1) as passwords:
        coming_from = CLIENT_ADDRESS.set("192.0.2.7")
        scoring = [asyncio.create_task(passwords.rate("walrus", ())) for _ in range(MAX_WAITING_SCORES)]
        CLIENT_ADDRESS.reset(coming_from)
        assert (await passwords.rate("walrus", ())).score == 1
        outcomes = await asyncio.gather(*scoring, return_exceptions=True)
        assert len([each for each in outcomes if isinstance(each, Rating)]) == (MAX_WAITING_SCORES + 1) // 2


async def test_the_scoring_process_knows_no_secrets_and_ends_with_us(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLBOOK_MASTER_KEY", "secret")
    with PasswordPool(CHEAP, 1) as passwords:
        await passwords.rate("walrus", ())
        (pid,) = scorers()
        assert environment_of(pid) == b""
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not scorers())
        assert (await passwords.rate("quite-a-walrus-77", ())).score >= 2
        (pid,) = scorers()
        os.kill(pid, signal.SIGSTOP)
        scoring = asyncio.create_task(passwords.rate("walrus", ()))
        await asyncio.sleep(0)
    assert scorers() == []
    with pytest.raises(TooMany):
        await scoring
