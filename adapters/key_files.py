"""The two keys that every process needs alike: from the environment, else from files that the first start makes."""

import base64
import os
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import SecretStr

from adapters.setting_values import MASTER_KEY_BYTES
from adapters.settings import PREFIX, InvalidSettingsError, Settings


def with_keys(settings: Settings, *, make: bool) -> Settings:
    """The settings with both keys. `make` lets absent key files be made; without it their absence is refused."""
    master = settings.master_key or _key(settings.data / "master.key", "MASTER_KEY", _new_master_key if make else None)
    signing = settings.signing_key or _key(settings.data / "signing.pem", "SIGNING_KEY", _new_signer if make else None)
    return Settings.model_validate({**dict(settings), "master_key": master, "signing_key": signing})


def _key(path: Path, variable: str, new: Callable[[], str] | None) -> SecretStr:
    if not path.exists():
        if new is None:
            raise InvalidSettingsError(
                f"{PREFIX}{variable}: must be set, the same for every process (or {path} must exist)"
            )
        _write_once(path, new())
    return SecretStr(path.read_text().strip())


def _write_once(path: Path, content: str) -> None:
    """Complete or not at all, and never over a key that exists: data is unreadable without the old one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, unfinished = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # mode 0600
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        try:
            os.link(unfinished, path)
        except FileExistsError:
            return
    finally:
        os.unlink(unfinished)  # noqa: PTH108 - mkstemp speaks strings


def _new_master_key() -> str:
    return base64.b64encode(secrets.token_bytes(MASTER_KEY_BYTES)).decode()


def _new_signer() -> str:
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
