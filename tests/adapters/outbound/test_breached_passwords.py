"""Breached passwords, looked up at a range service on loopback (ruling K17)."""

import hashlib
import time

import pytest

from adapters.outbound.breached_passwords import SECONDS, BreachedPasswordRanges, NoBreachedPasswords
from tests.support.range_services import PADDING, a_range_service

LEAKED, UNKNOWN = "correct horse battery staple", "quite-a-walrus-77"


async def test_a_leaked_password_is_found_with_its_count() -> None:
    with a_range_service(LEAKED) as service:
        assert await BreachedPasswordRanges(service.url).times_seen(LEAKED) == 3


async def test_only_five_digits_of_the_hash_are_sent() -> None:
    with a_range_service(LEAKED) as service:
        assert await BreachedPasswordRanges(f"{service.url}/").times_seen(UNKNOWN) == 0
        ((path, headers),) = service.asked
    assert path == f"/range/{hashlib.sha1(UNKNOWN.encode()).hexdigest()[:5].upper()}"
    assert headers["add-padding"] == "true"


async def test_padding_is_not_taken_for_a_leak() -> None:
    digest = hashlib.sha1(UNKNOWN.encode()).hexdigest().upper()
    with a_range_service() as service:
        service.lines = [*PADDING, f"{digest[5:]}:0"]
        assert await BreachedPasswordRanges(service.url).times_seen(UNKNOWN) == 0


async def test_a_password_is_looked_up_as_it_is_hashed() -> None:
    with a_range_service("caf\u00e9-au-lait") as service:
        assert await BreachedPasswordRanges(service.url).times_seen("cafe\u0301-au-lait") == 3


@pytest.mark.parametrize("status", [302, 404, 429, 500])
async def test_another_answer_than_success_is_unavailable(status: int) -> None:
    with a_range_service(LEAKED) as service:
        service.status = status
        assert await BreachedPasswordRanges(service.url).times_seen(LEAKED) is None


async def test_a_malformed_count_is_unavailable() -> None:
    with a_range_service() as service:
        service.lines = [f"{hashlib.sha1(LEAKED.encode()).hexdigest()[5:]}:many"]
        assert await BreachedPasswordRanges(service.url).times_seen(LEAKED) is None


async def test_a_service_that_does_not_listen_is_unavailable() -> None:
    with a_range_service(LEAKED) as service:
        url = service.url
    assert await BreachedPasswordRanges(url).times_seen(LEAKED) is None


async def test_a_slow_service_is_unavailable_after_a_second() -> None:
    with a_range_service(LEAKED) as service:
        service.held.clear()
        started = time.monotonic()
        assert await BreachedPasswordRanges(service.url).times_seen(LEAKED) is None
        assert SECONDS <= time.monotonic() - started < 3 * SECONDS


async def test_without_a_service_nothing_is_known() -> None:
    assert await NoBreachedPasswords().times_seen(LEAKED) is None
