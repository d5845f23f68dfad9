"""The keys that sign and verify tokens: those of the setting, or those in a file, which may change at any time (K125).

The file has one or several private keys in PEM. The first one signs. Lines before a key tell when it was created, and
until when a former key verifies.
"""

import base64
import fcntl
import hashlib
import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple, Protocol

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from adapters.security.private_files import replace
from adapters.setting_values import PEM, parse_signing_keys
from adapters.settings import Settings

FORMER_KEY_VERIFIES = timedelta(seconds=3600 + 300)
"""An access token lives for 3,600 s at most, and clients may cache the public keys for 300 s."""
LOOK_AGAIN = 1.0
"""Seconds after which the file is looked at again."""
SIGNING_KEYS = "signing.pem"
"""The file in the data folder."""
_TIMES = re.compile(r"^(created|until): (\S+)$", re.MULTILINE)

log = structlog.get_logger()


class SigningKey(NamedTuple):
    """A private key and its public one. `x` is the public key and `kid` its thumbprint, both in base64url.

    `created` is None for a key of the setting. A former key verifies `until` then.
    """

    kid: str
    x: str
    private: Ed25519PrivateKey
    public: Ed25519PublicKey
    created: datetime | None = None
    until: datetime | None = None

    @property
    def verifies(self) -> bool:
        """Return whether tokens of the key are still accepted."""
        return self.until is None or datetime.now(UTC) < self.until


class SigningKeys(Protocol):
    """The keys as they are now, the one that signs first."""

    def known(self) -> Sequence[SigningKey]:
        """Return all keys."""
        ...

    def find(self, kid: object) -> SigningKey | None:
        """Return the key with this id if it verifies."""
        ...


class FixedKeys:
    """Keys that never change while the process runs: those of the setting."""

    def __init__(self, pem: str) -> None:
        self._keys = parsed(pem)

    def known(self) -> Sequence[SigningKey]:
        return self._keys

    def find(self, kid: object) -> SigningKey | None:
        return _found(self._keys, kid)


class KeyFile:
    """The keys in a file. A change of the file takes effect within a second, and at once for a token of a new key."""

    def __init__(self, path: Path) -> None:
        """Raises OSError or ValueError when the file cannot be read."""
        self._path = path
        self._seen = _version(path)
        self._keys = read_keys(path)
        self._looked_at = time.monotonic()

    def known(self) -> Sequence[SigningKey]:
        if time.monotonic() - self._looked_at >= LOOK_AGAIN:
            self._look()
        return self._keys

    def find(self, kid: object) -> SigningKey | None:
        found = _found(self.known(), kid)
        if found is None:  # another process may sign with a key that this one has not read yet
            self._look()
            found = _found(self._keys, kid)
        return found

    def _look(self) -> None:
        """Read the file again if it has changed; keep the known keys if it cannot be read."""
        self._looked_at = time.monotonic()
        try:
            seen = _version(self._path)
            if seen != self._seen:
                self._keys, self._seen = read_keys(self._path), seen
        except (OSError, ValueError) as error:
            log.error("signing-keys-unreadable", reason=type(error).__name__)  # noqa: TRY400 - its text may quote the file


def signing_keys(settings: Settings) -> SigningKeys:
    """Return the keys of the setting, else those of the file in the data folder."""
    if settings.signing_key is not None:
        return FixedKeys(settings.signing_key.get_secret_value())
    return KeyFile(settings.data / SIGNING_KEYS)


def read_keys(path: Path) -> list[SigningKey]:
    """Return the keys of the file. Raises ValueError when it has none."""
    created = datetime.fromtimestamp(path.stat().st_mtime, UTC)  # of a key from before there were lines with times
    return [key._replace(created=key.created or created) for key in parsed(path.read_text())]


def parsed(text: str) -> list[SigningKey]:
    """Return the keys of a text with PEM. Raises ValueError when it has none, or one that is not Ed25519."""
    before = PEM.split(text)
    return [_key(private, before[place]) for place, private in enumerate(parse_signing_keys(text))]


def new_key() -> SigningKey:
    """Return a new key."""
    return _key(Ed25519PrivateKey.generate(), "")._replace(created=datetime.now(UTC))


def put_first(path: Path, key: SigningKey) -> None:
    """Let the key sign from now on, and the keys of the file verify for FORMER_KEY_VERIFIES at most.

    Keys that no longer verify are removed.
    """
    with _locked(path.parent):
        until = datetime.now(UTC) + FORMER_KEY_VERIFIES
        former = [each._replace(until=each.until or until) for each in read_keys(path) if each.verifies]
        replace(path, "".join(map(written, [key, *former])))


def _key(private: Ed25519PrivateKey, before: str) -> SigningKey:
    public = private.public_key()
    x = _base64url(public.public_bytes(Encoding.Raw, PublicFormat.Raw))
    # the thumbprint of RFC 7638 with the members of RFC 8037
    kid = _base64url(hashlib.sha256(f'{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}'.encode()).digest())
    times = {name: datetime.fromisoformat(text) for name, text in _TIMES.findall(before)}
    return SigningKey(kid, x, private, public, times.get("created"), times.get("until"))


def written(key: SigningKey) -> str:
    """Return the text of the key in a file."""
    times = (("created", key.created), ("until", key.until))
    lines = "".join(f"{name}: {at.isoformat()}\n" for name, at in times if at is not None)
    return lines + key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _found(keys: Sequence[SigningKey], kid: object) -> SigningKey | None:
    return next((key for key in keys if key.kid == kid and key.verifies), None)


def _version(path: Path) -> tuple[int, int, int]:
    """Return what changes whenever the file is replaced."""
    state = path.stat()
    return state.st_ino, state.st_mtime_ns, state.st_size


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one process at a time replace a file of the folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
