"""Looks passwords up in a range service such as Have I Been Pwned's, which never gets to know them (ruling K17).

The service is asked for all hashes with the same first five digits (k-anonymity). It adds invented ones with the count
0, so that the size of its answer does not tell which digits were asked for.
"""

import asyncio
import hashlib
import ssl

import httpx2
import structlog

from adapters.settings import Settings
from domain.people.passwords import BreachedPasswords, normal_password

SECONDS = 1.0
"""The whole time of a look-up."""
PREFIX_DIGITS = 5

log = structlog.get_logger()


class BreachedPasswordRanges:
    """Asks the service at a URL. Implements `domain.people.passwords.BreachedPasswords`."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._tls: ssl.SSLContext | bool = ssl.create_default_context() if url.startswith("https") else False

    async def times_seen(self, password: str) -> int | None:
        digest = hashlib.sha1(normal_password(password).encode(), usedforsecurity=False).hexdigest().upper()
        prefix, suffix = digest[:PREFIX_DIGITS], digest[PREFIX_DIGITS:]
        try:
            async with asyncio.timeout(SECONDS), httpx2.AsyncClient(verify=self._tls, timeout=SECONDS) as client:
                answer = await client.get(f"{self._url}/{prefix}", headers={"Add-Padding": "true"})
                answer.raise_for_status()
                return _count_of(suffix, answer.text)
        except (httpx2.HTTPError, TimeoutError, ValueError) as error:
            log.warning("breached-passwords-unavailable", reason=type(error).__name__)
            return None


class NoBreachedPasswords:
    """Stands in for the service when none is set. Implements `domain.people.passwords.BreachedPasswords`."""

    async def times_seen(self, password: str) -> int | None:  # noqa: ARG002 - the port has it
        return None


def breached_passwords(settings: Settings) -> BreachedPasswords:
    """Return what looks passwords up in known leaks."""
    if settings.pwned_url is None:
        return NoBreachedPasswords()
    return BreachedPasswordRanges(settings.pwned_url.get_secret_value())


def _count_of(suffix: str, lines: str) -> int:
    """Return the count of the suffix in lines of `SUFFIX:COUNT`. Raises ValueError for a malformed count."""
    for line in lines.splitlines():
        known, _, count = line.partition(":")
        if known.strip().upper() == suffix:
            return int(count)
    return 0
