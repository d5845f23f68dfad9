"""The database login of API and workers: a role that owns nothing and is a member of no other role (ruling O19).

If the settings give only the owner's connection string, the role's password is derived from the master key. All parts
have the same master key, so parts on several machines derive the same password, and none has to store it.
"""

import base64
import hashlib
import hmac

import psycopg
from psycopg.conninfo import make_conninfo
from pydantic import SecretStr

from adapters.postgres.session_settings import session_dsn
from adapters.settings import APPLICATION_ROLE, InvalidSettingsError, Settings

LOCK = 7_246_013_399_182_414  # an arbitrary number; no other advisory lock may have it


async def with_application_login(settings: Settings) -> Settings:
    """Return the settings with the application's login. If the login fails, the owner sets its password first.

    The settings must have the master key, and the database must be migrated. Raises InvalidSettingsError when the
    owner may not set the password.
    """
    if settings.knows_application_login:
        return settings
    password = _password(settings.master_key_bytes())
    login = make_conninfo(settings.plain_owner_dsn(), user=APPLICATION_ROLE, password=password)
    if not await _login_works(login):
        await _set_password(settings.owner_dsn(), login, password)
    return settings.model_copy(update={"app_database_url": SecretStr(login)})


def _password(master_key: bytes) -> str:
    digest = hmac.digest(master_key, b"rollbook: login to the database", hashlib.sha256)
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


async def _login_works(login: str) -> bool:
    try:
        async with await psycopg.AsyncConnection.connect(session_dsn(login, "maintain"), connect_timeout=5):
            return True
    except psycopg.OperationalError:
        return False


async def _set_password(owner_dsn: str, login: str, password: str) -> None:
    """Set the role's password under a lock, because other parts may do the same at this moment."""
    async with await psycopg.AsyncConnection.connect(owner_dsn, autocommit=True, connect_timeout=5) as owner:
        await owner.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        if await _login_works(login):
            return
        cursor = await owner.execute("SELECT FROM pg_stat_activity WHERE usename = %s", [APPLICATION_ROLE])
        if await cursor.fetchone() is not None:
            raise InvalidSettingsError(
                f"ROLLBOOK_APP_DATABASE_URL: must be set, because another installation uses the role {APPLICATION_ROLE}"
                " of this server with another password (or another ROLLBOOK_MASTER_KEY)"
            )
        verifier = owner.pgconn.encrypt_password(password.encode(), APPLICATION_ROLE.encode(), b"scram-sha-256")
        try:
            await owner.execute(f"ALTER ROLE {APPLICATION_ROLE} LOGIN PASSWORD '{verifier.decode()}'".encode())
        except psycopg.errors.InsufficientPrivilege:
            raise InvalidSettingsError(
                f"ROLLBOOK_APP_DATABASE_URL: must be set, because the owner may not set the password of the role"
                f" {APPLICATION_ROLE}; let an administrator run: ALTER ROLE {APPLICATION_ROLE} LOGIN PASSWORD '…'"
            ) from None
