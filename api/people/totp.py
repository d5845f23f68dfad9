"""/v1/mfa-totp/: TOTP configurations, the second factor of users."""

import asyncio
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from starlette.responses import Response

from adapters.security.client_address import CLIENT_ADDRESS
from adapters.security.totp import provisioning_uri, qr_code
from api.documents.people import totp as documents
from api.edge.caller import Authenticated
from api.edge.deps import ExecuteDep, FromQuery, IdentityDep, PathId, ReadingDep, ServicesDep
from api.edge.envelope import no_content
from api.edge.execution import recorded_at
from api.edge.reading import Read, single
from api.edge.route import answers, contract_router
from api.services import Services
from domain.core.errors import Forbidden
from domain.core.principal import Principal
from domain.people.totp import TotpConfigurations, TotpNotFound, configurations_id
from domain.people.totp_commands import PasswordProof, account_name, require_person
from domain.people.users import User
from projections.people.totp import TotpRow, configuration, configurations_of

router = contract_router("mfa-totp", "TOTP configurations: the second factor of users.")

SHOWS_SECRET: dict[str, Any] = answers(documents.TotpDocument, 201, secret=True)


@router.get("/v1/mfa-totp/", **answers(documents.TotpList))
async def list_totp(
    query: FromQuery[documents.TotpListQuery], principal: Authenticated, services: ServicesDep, reading: ReadingDep
) -> Response:
    """Return the caller's configurations; system administrators may ask for those of other users."""
    require_person(principal)
    user_id = query.user_id or principal.user_id
    if user_id != principal.user_id and not principal.system:
        raise Forbidden

    async def respond(read: Read) -> Response:
        rows = await configurations_of(read.cursor, user_id)
        secrets = await _secrets(services, principal, rows)
        return read.listing(documents.TotpList, [_resource(row, secrets.get(row.configuration_id)) for row in rows])

    return await reading.read((), respond)


@router.post("/v1/mfa-totp/", **SHOWS_SECRET)
async def create_totp(principal: Authenticated, services: ServicesDep) -> Response:
    """Create a configuration. It has to be enabled before logins ask for its codes."""
    created = await services.identity.totp.create(principal)
    row = TotpRow(created.id, principal.user_id, recorded_at(), None, False, None, 0)
    secret = await asyncio.to_thread(_secret, created.secret, services.settings.totp_issuer, created.account)
    return single(documents.TotpDocument, _resource(row, secret), created.position, 201)


@router.delete("/v1/mfa-totp/{id}/", **answers(None, 204))
async def delete_totp(
    configuration_id: PathId, principal: Authenticated, identity: IdentityDep, execute: ExecuteDep
) -> Response:
    """Delete a configuration of the caller that is not enabled."""
    outcome = await execute(identity.totp.delete(principal, configuration_id), about=configuration_id)
    return no_content(position=outcome.position)


@router.post("/v1/mfa-totp/{id}/enable/", **SHOWS_SECRET)
async def enable_totp(
    configuration_id: PathId,
    body: documents.TotpToEnable,
    principal: Authenticated,
    identity: IdentityDep,
    reading: ReadingDep,
) -> Response:
    """Enable a configuration by two consecutive codes. The answer shows recovery codes, each of which logs in once."""
    row = await _known(reading, configuration_id)
    recovery_codes, position = await identity.totp.enable(principal, configuration_id, _proof(body), body.both_codes)
    at = recorded_at()
    return _with_codes(row, recovery_codes, position, enabled_at=at, enabled_before=True, last_used_at=at)


@router.post("/v1/mfa-totp/{id}/recovery-codes/", **answers(documents.TotpDocument, 201, secret=True, extension=True))
async def replace_recovery_codes(
    configuration_id: PathId,
    body: documents.OwnPassword,
    principal: Authenticated,
    identity: IdentityDep,
    reading: ReadingDep,
) -> Response:
    """Replace the recovery codes of an enabled configuration by new ones, which only this answer shows."""
    row = await _known(reading, configuration_id)
    recovery_codes, position = await identity.totp.replace_recovery_codes(principal, configuration_id, _proof(body))
    return _with_codes(row, recovery_codes, position)


@router.post("/v1/mfa-totp/{id}/disable/", **answers(documents.TotpDocument, 201))
async def disable_totp(
    configuration_id: PathId,
    body: documents.OwnPassword,
    principal: Authenticated,
    services: ServicesDep,
    reading: ReadingDep,
    execute: ExecuteDep,
) -> Response:
    """Disable a configuration and end its recovery codes. System administrators may disable those of other users."""
    command = services.identity.totp.disable(principal, configuration_id, _proof(body))
    outcome = await execute(command, about=configuration_id)

    async def respond(read: Read) -> Response:
        return await _shown(services, read, principal, configuration_id, outcome.position, outcome.status)

    return await reading.read_after(outcome, (), respond)


async def _known(reading: ReadingDep, configuration_id: UUID) -> TotpRow | None:
    """Return the configuration before a command whose answer must not fail: only that shows the recovery codes."""
    return await reading.read((), lambda read: configuration(read.cursor, configuration_id))


def _with_codes(row: TotpRow | None, recovery_codes: Sequence[str], position: int, **changes: Any) -> Response:
    """Return the configuration as a command changed it, with its new recovery codes."""
    if row is None:  # it was created after it was looked up
        raise TotpNotFound
    changed = row._replace(recovery_codes_left=len(recovery_codes), **changes)
    return single(documents.TotpDocument, _resource(changed, None, recovery_codes), position, 201)


async def _shown(
    services: Services,
    read: Read,
    principal: Principal,
    configuration_id: UUID,
    position: int,
    status: int,
) -> Response:
    """Return a configuration that a command of the principal changed, at the position of the command."""
    row = await configuration(read.cursor, configuration_id)
    if row is None or (row.user_id != principal.user_id and not principal.system):
        raise TotpNotFound
    secrets = await _secrets(services, principal, [row])
    resource = _resource(row, secrets.get(configuration_id))
    return single(documents.TotpDocument, resource, position, status)


async def _secrets(
    services: Services, principal: Principal, rows: Sequence[TotpRow]
) -> Mapping[UUID, documents.TotpSecret]:
    """Return the secrets that the principal may see: their own that were never enabled, in a session of their own."""
    shown = {row.configuration_id for row in rows if row.user_id == principal.user_id and not row.enabled_before}
    if not shown or principal.kind != "password":
        return {}
    user, known = await services.identity.store.find_each(
        (User, principal.user_id), (TotpConfigurations, configurations_id(principal.user_id))
    )
    keys = {} if known is None else {each.id: each.secret.value for each in known.configurations.values()}
    account = str(principal.user_id) if user is None else account_name(user)
    issuer = services.settings.totp_issuer
    # in a thread: drawing ten QR codes takes 0.3 s
    return await asyncio.to_thread(
        lambda: {each: _secret(key, issuer, account) for each, key in keys.items() if each in shown and key is not None}
    )


def _secret(key: str, issuer: str, account: str) -> documents.TotpSecret:
    uri = provisioning_uri(key, issuer, account)
    code = qr_code(uri)
    drawn = documents.QrCode(contents_base64=b64encode(code.png).decode(), height=code.width, width=code.width)
    return documents.TotpSecret(provisioning_qrcode=drawn, provisioning_uri=uri, shared_secret_key=key)


def _resource(
    row: TotpRow, secret: documents.TotpSecret | None, recovery_codes: Sequence[str] | None = None
) -> documents.TotpResource:
    attributes = documents.TotpAttributes(
        created_at=row.created_at,
        enabled=row.enabled_at is not None,
        enabled_at=row.enabled_at,
        last_used=row.last_used_at,
        recovery_codes=None if recovery_codes is None else list(recovery_codes),
        recovery_codes_left=row.recovery_codes_left,
        secret=secret,
        user_id=row.user_id,
    )
    return documents.TotpResource(attributes=attributes, id=row.configuration_id)


def _proof(body: documents.OwnPassword) -> PasswordProof:
    return PasswordProof(body.password.get_secret_value(), CLIENT_ADDRESS.get())
