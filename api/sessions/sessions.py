"""/v1/login/, /v1/refresh-token/, /v1/authenticate/, /v1/sessions/, switch-organization and the public keys."""

from typing import Any

from starlette.responses import JSONResponse, Response

from adapters.security.client_address import CLIENT_ADDRESS
from adapters.security_log import report
from api.documents.common import Attributes
from api.documents.sessions import sessions as documents
from api.edge.bodies import MAX_CREDENTIALS_BODY
from api.edge.caller import Authenticated
from api.edge.deps import ExecuteDep, FromQuery, IdentityDep, PathId, ReadingDep, ServicesDep, SignerDep
from api.edge.envelope import answer, no_content, rendered
from api.edge.reading import Read
from api.edge.route import answers, contract_router
from api.edge.throttles import CallThrottle, CommandThrottle
from api.sessions.tokens import access_token, id_token, login_info, login_tokens, refreshed_tokens
from domain.core.errors import Forbidden
from domain.core.personal import revealed
from domain.people.users import User
from domain.sessions.commands import Login as LoginWish
from domain.sessions.sessions import impersonator_of
from projections.access.roles import RolesProjection
from projections.people.users import UsersProjection
from projections.sessions import sessions

router = contract_router("sessions", "Logging in and out, tokens, and the keys that verify them.")


JWKS = "/.well-known/jwks.json"
PUBLIC_SECONDS = 300
"""Seconds for which clients may keep what is published; the former key verifies so much longer after a rotation."""


class JsonWebKeys(Attributes):
    """Writes a JWK set (RFC 7517)."""

    keys: list[dict[str, Any]]


PER_NAME_AND_ADDRESS = CommandThrottle("the name counts as the command normalizes it, and a complete login forgives")
PER_TOKEN = CallThrottle(
    "refreshes",
    lambda settings: settings.refreshes_session,
    60,
    lambda arguments: str(arguments["body"].refresh_token.get_secret_value()),
)
"""Counts by refresh token, so that only the bearer of a token can exhaust its limit (ruling O14)."""


@router.post(
    "/v1/login/",
    **answers(
        documents.LoginAnswer,
        201,
        secret=True,
        waits=False,
        max_body=MAX_CREDENTIALS_BODY,
        throttle=PER_NAME_AND_ADDRESS,
    ),
)
async def login(body: documents.Login, identity: IdentityDep, signer: SignerDep) -> Response:
    """Open a session for a user who sends the right password, and a TOTP or recovery code if TOTP is enabled."""
    signed_in = await identity.sessions.log_in(wish(body), CLIENT_ADDRESS.get())
    return answer(documents.LoginTokens(**login_tokens(signer, signed_in)), 201)


@router.post(
    "/v1/refresh-token/",
    **answers(
        documents.RefreshedTokens, 201, secret=True, waits=False, max_body=MAX_CREDENTIALS_BODY, throttle=PER_TOKEN
    ),
)
async def refresh_token(body: documents.RefreshToken, identity: IdentityDep, signer: SignerDep) -> Response:
    """Issue another access token for a live session."""
    signed_in = await identity.sessions.refresh(body.refresh_token.get_secret_value(), interactive=body.interactive)
    return answer(documents.RefreshedTokens(**refreshed_tokens(signer, signed_in)), 201)


@router.post("/v1/authenticate/", **answers(documents.AuthenticateAnswer, 201, reads=True, for_anonymous_sessions=True))
async def authenticate(
    principal: Authenticated, reading: ReadingDep, identity: IdentityDep, body: documents.Authenticate | None = None
) -> Response:
    """Return who the caller is. Refuse sessions of service accounts on requests from outside."""
    if body is not None and body.edge_request and principal.service:
        raise Forbidden

    async def respond(read: Read) -> Response:
        known = await sessions.bearer_of(read.cursor, principal.user_id, principal.organization_id)
        email = known.email
        if not known.projected:
            email = revealed((await identity.store.get(User, principal.user_id)).names.email)
        caller = documents.AuthenticatedCaller(
            email=email,
            organization_id=principal.organization_id,
            roles=known.roles,
            session_id=principal.session_id,
            user_id=principal.user_id,
        )
        return read.answer(documents.AuthenticateAnswer(data=caller), 201)

    return await reading.read((UsersProjection.name, RolesProjection.name), respond)


@router.get("/v1/sessions/{id}/", **answers(documents.SessionDocument))
async def get_session(
    session_id: PathId,
    query: FromQuery[documents.SessionQuery],
    principal: Authenticated,
    identity: IdentityDep,
    reading: ReadingDep,
) -> Response:
    """Return a live session of the caller; system administrators and services may read all sessions."""
    session = await identity.sessions.find(principal, session_id)
    about = None
    if query.include_login_info:
        user = await identity.store.get(User, session.user_id)
        about = documents.LoginInfo(**login_info(session, user, await impersonator_of(identity.store, session)))
    attributes = documents.SessionAttributes(
        expiration_time=session.expires_at, login_info=about, user_id=session.user_id
    )

    async def respond(read: Read) -> Response:
        return read.single(documents.SessionDocument, documents.SessionResource(attributes=attributes, id=session.id))

    return await reading.read((), respond)


@router.delete("/v1/sessions/{id}/", **answers(None, 204, extension=True))
async def delete_session(
    session_id: PathId, principal: Authenticated, identity: IdentityDep, execute: ExecuteDep
) -> Response:
    """End a session. Its access tokens and its refresh token are no longer valid."""

    async def revoke() -> int:
        position = await identity.sessions.revoke(principal, session_id)
        report("session-revoked", user=str(principal.user_id), session=str(session_id))
        return position

    return no_content(position=(await execute(revoke())).position)


@router.post(
    "/v1/users/{id}/switch-organization/",
    **answers(documents.SwitchOrganizationTokens, 201, secret=True, waits=False),
)
async def user_switch_organization(
    user_id: PathId,
    body: documents.SwitchOrganization,
    principal: Authenticated,
    identity: IdentityDep,
    signer: SignerDep,
    services: ServicesDep,
) -> Response:
    """End the caller's session and open one in another of their organizations."""
    signed_in, position = await identity.organization_switches.switch(
        principal, user_id, body.organization_id, set_default=body.set_default
    )
    report("session-revoked", user=str(user_id), session=str(principal.session_id))
    if body.set_default:  # the answer has the only tokens of the session, so that it is given even if this takes long
        await services.positions.shown([UsersProjection.name], position, services.settings.position_wait)
    assert signed_in.refresh_token is not None
    tokens = documents.SwitchOrganizationTokens(
        access_token=access_token(signer, signed_in),
        id_token=id_token(signer, signed_in),
        refresh_token=signed_in.refresh_token,
    )
    return answer(tokens, 201, position=position)


@router.get(JWKS, response_class=JSONResponse, **answers(JsonWebKeys, extension=True, waits=False))
async def public_keys(signer: SignerDep) -> Response:
    """Return the public keys with which other applications verify access tokens."""
    return published(signer.jwks())


@router.get(
    "/.well-known/openid-configuration",
    response_class=JSONResponse,
    **answers(documents.OpenIdConfiguration, extension=True, waits=False),
)
async def openid_configuration(services: ServicesDep) -> Response:
    """Return what clients of OpenID Connect have to know, from the settings alone (OpenID Connect Discovery 1.0)."""
    settings = services.settings
    return published(documents.OpenIdConfiguration(issuer=settings.issuer, jwks_uri=f"{settings.public_base}{JWKS}"))


def published(document: Any) -> Response:
    """Return an answer that everybody may keep for some minutes (ruling K146)."""
    headers = {"Cache-Control": f"public, max-age={PUBLIC_SECONDS}"}
    return Response(rendered(document), headers=headers, media_type="application/json")


def wish(body: documents.Login) -> LoginWish:
    """Return the login that the request describes."""
    return LoginWish(
        username=body.username,
        password=body.password.get_secret_value(),
        totp_code=None if body.totp_code is None else body.totp_code.get_secret_value(),
        access_seconds=body.access_token_expiration_seconds,
        refresh_seconds=body.refresh_token_expiration_seconds,
        sticky=bool(body.sticky_access_token_expiration),
        locale=body.locale,
        interactive=body.interactive,
        service_documents=body.service_document_agreements or (),
        queue_delay=body.simulated_queue_delay or 0,
    )
