"""The two keys that every process needs alike: from the environment, else from files that the first start makes.

A master key that is to replace the one in its file waits in `master.key.next` until the database knows it.
"""

import base64
import os
import secrets
from collections.abc import Callable
from itertools import count
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import SecretStr

from adapters.security.private_files import settle, write_once
from adapters.setting_values import MASTER_KEY_BYTES
from adapters.settings import PREFIX, InvalidSettingsError, Settings


def with_keys(settings: Settings, *, make: bool) -> Settings:
    """The settings with both keys. `make` lets absent key files be made; without it their absence is refused."""
    master = master_key(settings, make=make)
    signing = settings.signing_key or _key(settings.data / "signing.pem", "SIGNING_KEY", _new_signer if make else None)
    return Settings.model_validate({**dict(settings), "master_key": master, "signing_key": signing})


def with_master_key(settings: Settings) -> Settings:
    """The settings with the key that values are read by, which is all that workers need; its absence is refused."""
    return Settings.model_validate({**dict(settings), "master_key": master_key(settings, make=False)})


def master_key(settings: Settings, *, make: bool) -> SecretStr:
    """The one in use: as it was set, else that of the file."""
    return settings.master_key or _key(_master(settings), "MASTER_KEY", _new_master_key if make else None)


def next_master_key(settings: Settings) -> SecretStr:
    """The master key to come: as it was set, else a new one, the same each time until it is `put_in_place`.

    Raises InvalidSettingsError when the one in use was set and the next one was not.
    """
    if settings.master_key is None:
        return _key(_waiting(settings), "NEW_MASTER_KEY", _new_master_key)
    if settings.new_master_key is None:
        raise InvalidSettingsError(f"{PREFIX}NEW_MASTER_KEY: must be set, because {PREFIX}MASTER_KEY is")
    return settings.new_master_key


def put_in_place(settings: Settings) -> Path | None:
    """The waiting master key is now the one in the file. Where the former one is kept; None when there is no file."""
    if settings.master_key is not None:
        return None
    path = _master(settings)
    former = next(place for n in count(1) if not (place := path.with_name(f"{path.name}.{n}")).exists())
    os.link(path, former)
    _waiting(settings).replace(path)
    settle(path.parent)
    return former


def _master(settings: Settings) -> Path:
    return settings.data / "master.key"


def _waiting(settings: Settings) -> Path:
    return settings.data / "master.key.next"


def _key(path: Path, variable: str, new: Callable[[], str] | None) -> SecretStr:
    if not path.exists():
        if new is None:
            raise InvalidSettingsError(
                f"{PREFIX}{variable}: must be set, the same for every process (or {path} must exist)"
            )
        write_once(path, new())
    return SecretStr(path.read_text().strip())


def _new_master_key() -> str:
    return base64.b64encode(secrets.token_bytes(MASTER_KEY_BYTES)).decode()


def _new_signer() -> str:
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
