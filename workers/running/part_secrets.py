"""The secrets that each part gets from the supervisor: only those that it uses (ruling O25)."""

import os
from collections.abc import Mapping

from adapters.settings import Settings

SECRETS = frozenset({
    "DATABASE_URL",
    "ROLLBOOK_DATABASE_URL",
    "REDIS_URL",
    "ROLLBOOK_REDIS_URL",
    "ROLLBOOK_APP_DATABASE_URL",
    "ROLLBOOK_LISTEN_URL",
    "ROLLBOOK_ADMIN_PASSWORD",
    "ROLLBOOK_SERVICE_ACCOUNTS",
    "ROLLBOOK_MASTER_KEY",
    "ROLLBOOK_NEW_MASTER_KEY",
    "ROLLBOOK_SIGNING_KEY",
    "ROLLBOOK_SMTP_URL",
    "ROLLBOOK_SMS_URL",
    "ROLLBOOK_SMS_SECRET",
    "ROLLBOOK_PWNED_URL",
})  # fmt: skip
"""All variables that hold a secret. Connection strings contain passwords; two variables have a second name."""

WORKER_SECRETS = frozenset({"ROLLBOOK_APP_DATABASE_URL", "ROLLBOOK_LISTEN_URL", "ROLLBOOK_MASTER_KEY"})
JOBS_SECRETS = WORKER_SECRETS | {"ROLLBOOK_SMTP_URL", "ROLLBOOK_SMS_URL", "ROLLBOOK_SMS_SECRET"}
API_SECRETS = WORKER_SECRETS | {
    "REDIS_URL", "ROLLBOOK_SIGNING_KEY", "ROLLBOOK_SERVICE_ACCOUNTS", "ROLLBOOK_PWNED_URL",
}  # fmt: skip


def environment(settings: Settings, secrets: frozenset[str]) -> dict[str, str]:
    """Return the environment of a part: that of this process without the secrets that the part does not get."""
    known = {**os.environ, **_addresses(settings)}
    own = {name: value for name, value in known.items() if name.upper() not in SECRETS - secrets}
    folders = {"ROLLBOOK_DATA": settings.data, "ROLLBOOK_OUTBOX": settings.outbox}
    return {**own, **{name: str(folder) for name, folder in folders.items() if folder is not None}}


def _addresses(settings: Settings) -> Mapping[str, str]:
    """Return the connection strings of the servers with the application's login."""
    addresses = {"ROLLBOOK_APP_DATABASE_URL": settings.application_login()}
    if settings.listen_url is not None:
        addresses["ROLLBOOK_LISTEN_URL"] = settings.listen_login()
    redis = settings.redis()
    return addresses if redis is None else {**addresses, "REDIS_URL": redis}
