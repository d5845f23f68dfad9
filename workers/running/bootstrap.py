"""The first start: creates the operator's organization, its first administrator and the configured service accounts."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import structlog

from adapters.outbound.breached_passwords import breached_passwords
from adapters.postgres.connections import connect
from adapters.security.passwords import PasswordPool
from adapters.security.private_files import replace
from adapters.settings import InvalidSettingsError, Settings
from domain.access.roles import ORGANIZATION_ADMIN, SYSTEM_ADMIN, Role
from domain.core.errors import Invalid
from domain.core.personal import revealed
from domain.core.ports import Store, retry_on_conflict
from domain.organizations.organizations import OPERATOR_ID, Organization, system_groups
from domain.people.directory import Directory
from domain.people.individuals import Individual
from domain.people.passwords import PasswordPolicy
from domain.people.user_state import STAFF
from domain.people.users import User
from domain.sessions.service_accounts import ServiceAccounts, ServiceName
from projections.people.directory import InlineDirectory
from workers.following.followers import register_all
from workers.following.identity_store import identity_store

LOCK = 7_246_013_399_182_413  # an arbitrary number; no other advisory lock may have it
NAME = "rollbook-start"
OPERATOR = "operator"
PASSWORD_FILE = "admin-password"  # noqa: S105 - the name of the file
ROLES = {ORGANIZATION_ADMIN: "Organization administrator", SYSTEM_ADMIN: "System administrator"}

_log = structlog.get_logger(__name__)


class FirstAdministrator(NamedTuple):
    """The administrator that a start created. `password_file` is None if the settings give the password."""

    email: str
    password_file: Path | None


async def bootstrap(settings: Settings) -> FirstAdministrator | None:
    """Prepare a migrated database for this version; return the first administrator if this call creates them.

    Processes that start at the same time take turns. Raises InvalidSettingsError when the first administrator's
    password is not acceptable (ruling J5).
    """
    async with _one_at_a_time(settings) as (store, directory):
        accounts = [ServiceName(account.namespace, account.name) for account in settings.service_accounts]
        await ServiceAccounts(store).sync(accounts)
        with PasswordPool(settings.argon2, threads=1) as passwords:
            if await store.find(Organization, OPERATOR_ID) is None:
                return await _first_administrator(settings, store, passwords)
            await _warn_of_ignored_password(settings, store, directory, passwords)
            return None


@asynccontextmanager
async def _one_at_a_time(settings: Settings) -> AsyncIterator[tuple[Store, Directory]]:
    connecting = connect(settings.dsn("maintain"), application_name=NAME)
    async with await connecting as connection, connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        async with identity_store(settings, NAME, connections=2) as (store, pool, lookup):
            async with pool.connection() as registering:
                await register_all(registering, lookup)
            yield store, InlineDirectory(pool, lookup)


async def _first_administrator(settings: Settings, store: Store, passwords: PasswordPool) -> FirstAdministrator:
    given = settings.admin_password
    if given is not None:
        await _require_acceptable(given.get_secret_value(), settings, passwords)
    if given is None:
        password, file = secrets.token_urlsafe(12), settings.data / PASSWORD_FILE
        replace(file, password)  # before the administrator exists; after a crash the next start writes a new password
    else:
        password, file = given.get_secret_value(), None
    await _found_operator(store, settings.admin_email, await passwords.hash(password))
    return FirstAdministrator(settings.admin_email, file)


async def _require_acceptable(password: str, settings: Settings, passwords: PasswordPool) -> None:
    policy = PasswordPolicy(passwords, breached_passwords(settings), settings.password_length)
    try:
        await policy.require(password, [settings.admin_email])
    except Invalid as refusal:
        raise InvalidSettingsError(
            f"ROLLBOOK_ADMIN_PASSWORD: {refusal} It must have at least {policy.min_length} characters."
        ) from None


async def _warn_of_ignored_password(
    settings: Settings, store: Store, directory: Directory, passwords: PasswordPool
) -> None:
    """Warn if the setting is not the administrator's password: it counts at the first start only (ruling J5)."""
    if settings.admin_password is None:
        return
    user_id = await directory.user_by_login(settings.admin_email)
    user = None if user_id is None else await store.find(User, user_id)
    hashed = None if user is None else revealed(user.password_hash)
    if not await passwords.verify(settings.admin_password.get_secret_value(), hashed):
        _log.warning("admin-password-ignored", reason="it is used at the first start only")


@retry_on_conflict
async def _found_operator(store: Store, email: str, password_hash: str) -> None:
    organization = Organization.create(
        OPERATOR_ID, OPERATOR, display_name=OPERATOR, classification=STAFF, provider_type="coach", timezone="UTC"
    )
    user_id = uuid4()
    individual = Individual.create(uuid4(), "user", user_id, provider=True)
    user = User.create(user_id, classification=STAFF, individual_id=individual.id, email=email)
    user.set_password(password_hash)
    user.confirm(email_verified=True)
    user.join(OPERATOR_ID)
    roles = [Role.create(OPERATOR_ID, name, display_name) for name, display_name in ROLES.items()]
    for role in roles:
        role.grant(user_id, live=True)
    await store.save(organization, *system_groups(OPERATOR_ID), user, individual, *roles)
