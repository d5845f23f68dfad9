"""Settings of a world: cheap hashing, fixed keys, no Redis."""

from base64 import b64encode
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from adapters.settings import Settings
from tests.support.logins import application_login
from tests.support.stores import MASTER_KEY

PASSWORD = "correct-horse-battery-9"
ADMIN_EMAIL = "first.administrator@rollbook.test"
SERVICE = ("apps", "records", "token-of-the-records-application")
SIGNING_KEY = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
UNLIMITED: dict[str, Any] = {
    "login_failures": 0, "login_failures_address": 0, "service_failures_address": 0, "refreshes_session": 0,
    "sign_ups_address": 0,
    "code_requests": 0, "code_requests_address": 0, "code_failures": 0, "code_failures_address": 0,
    "lookup_misses_address": 0,
    "onboarding_resends": 0,
}  # fmt: skip
"""Settings for tests that ask wrongly very often, and from one address."""


def settings_for(database_url: str, **changes: Any) -> Settings:
    """Settings of a world: cheap hashing, fixed keys, no Redis."""
    namespace, name, token = SERVICE
    given: dict[str, Any] = {
        "database_url": database_url,
        "app_database_url": application_login(database_url),
        "admin_email": ADMIN_EMAIL,
        "admin_password": PASSWORD,
        "service_accounts": f"{namespace}/{name}:{token}",
        "argon2": "1,8,1",
        "logins_address": 0,
        "services": "records=http://127.0.0.1:9",
        "service_documents_address": 0,
        "hashing_threads": 1,
        "master_key": b64encode(MASTER_KEY).decode(),
        "signing_key": SIGNING_KEY.decode(),
        "log_level": "error",
    }
    return Settings(**{**given, **changes})
