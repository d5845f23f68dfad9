"""The master key and the signing keys, the same in all processes: from the settings, or from files of the first start.

During a rotation the new master key is in `master.key.next` until the database uses it.
"""

import base64
import os
import secrets
from collections.abc import Callable
from itertools import count
from pathlib import Path

from pydantic import SecretStr

from adapters.security.private_files import sync_folder, write_once
from adapters.security.signing_keys import SIGNING_KEYS, new_key, written
from adapters.setting_values import MASTER_KEY_BYTES
from adapters.settings import PREFIX, InvalidSettingsError, Settings


def with_keys(settings: Settings, *, make: bool) -> Settings:
    """Return the settings with the master key; the signing keys stay in their file, where they may change.

    With `make`, create missing key files; else raise InvalidSettingsError.
    """
    master = master_key(settings, make=make)
    if settings.signing_key is None:
        _key(settings.data / SIGNING_KEYS, "SIGNING_KEY", _new_signer if make else None)
    return Settings.model_validate({**dict(settings), "master_key": master})


def with_master_key(settings: Settings) -> Settings:
    """Return the settings with the master key, the only key that workers need. Raises InvalidSettingsError."""
    return Settings.model_validate({**dict(settings), "master_key": master_key(settings, make=False)})


def master_key(settings: Settings, *, make: bool) -> SecretStr:
    """Return the master key in use: the one in the settings, or the one in the file."""
    return settings.master_key or _key(_master(settings), "MASTER_KEY", _new_master_key if make else None)


def next_master_key(settings: Settings) -> SecretStr:
    """Return the next master key: the one in the settings, or a generated one, the same until `replace_master_key`.

    Raises InvalidSettingsError when the settings contain the key in use but not the next one.
    """
    if settings.master_key is None:
        return _key(_waiting(settings), "NEW_MASTER_KEY", _new_master_key)
    if settings.new_master_key is None:
        raise InvalidSettingsError(f"{PREFIX}NEW_MASTER_KEY: must be set, because {PREFIX}MASTER_KEY is")
    return settings.new_master_key


def replace_master_key(settings: Settings) -> Path | None:
    """Make the next master key the one in the file; return the path of the former key, or None if there is no file."""
    if settings.master_key is not None:
        return None
    path = _master(settings)
    former = next(kept for number in count(1) if not (kept := path.with_name(f"{path.name}.{number}")).exists())
    os.link(path, former)
    _waiting(settings).replace(path)
    sync_folder(path.parent)
    return former


def _master(settings: Settings) -> Path:
    return settings.data / "master.key"


def _waiting(settings: Settings) -> Path:
    return settings.data / "master.key.next"


def _key(path: Path, variable: str, new: Callable[[], str] | None) -> SecretStr:
    if not path.exists():
        if new is None:
            raise InvalidSettingsError(
                f"{PREFIX}{variable}: must be set to the same value for every process (or {path} must exist)"
            )
        write_once(path, new())
    return SecretStr(path.read_text().strip())


def _new_master_key() -> str:
    return base64.b64encode(secrets.token_bytes(MASTER_KEY_BYTES)).decode()


def _new_signer() -> str:
    return written(new_key())
