"""Which secrets each part gets from the supervisor: those that it uses, and no others (ruling O25)."""

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
})  # fmt: skip
"""All variables that hold one. Connection strings count, because they have passwords; two have a second name."""

OF_A_WORKER = frozenset({"ROLLBOOK_APP_DATABASE_URL", "ROLLBOOK_LISTEN_URL", "ROLLBOOK_MASTER_KEY"})
OF_THE_JOBS = OF_A_WORKER | {"ROLLBOOK_SMTP_URL", "ROLLBOOK_SMS_URL", "ROLLBOOK_SMS_SECRET"}
OF_THE_API = OF_A_WORKER | {"REDIS_URL", "ROLLBOOK_SIGNING_KEY", "ROLLBOOK_SERVICE_ACCOUNTS"}


def environment(settings: Settings, secrets: frozenset[str]) -> dict[str, str]:
    """The variables of a part that gets these secrets: those of this process without its other secrets."""
    known = {**os.environ, **_addresses(settings)}
    own = {name: value for name, value in known.items() if name.upper() not in SECRETS - secrets}
    folders = {"ROLLBOOK_DATA": settings.data, "ROLLBOOK_OUTBOX": settings.outbox}
    return {**own, **{name: str(folder) for name, folder in folders.items() if folder is not None}}


def _addresses(settings: Settings) -> Mapping[str, str]:
    """Of the servers, as the application logs in to them."""
    addresses = {"ROLLBOOK_APP_DATABASE_URL": settings.application_login()}
    if settings.listen_url is not None:
        addresses["ROLLBOOK_LISTEN_URL"] = settings.listen_login()
    redis = settings.redis()
    return addresses if redis is None else {**addresses, "REDIS_URL": redis}
