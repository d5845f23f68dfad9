"""The application: its resources and its lifespan. Importing this module opens no connection."""

import asyncio
import importlib.metadata
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypedDict

import orjson
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from adapters.settings import Settings
from api import health, replicators
from api.access import authorization, role_users, roles
from api.edge import docs, errors
from api.edge.dispatch import Dispatch
from api.edge.middleware import Observed
from api.edge.operations import ResourceRouter
from api.groups import groups, rosters, tasks
from api.groups import logs as group_logs
from api.onboarding import claims as onboarding_claims
from api.onboarding import (
    invitation_reports,
    invitations,
    referral_codes,
    registration_invitations,
    service_documents,
)
from api.onboarding import requests as onboarding_requests
from api.organizations import (
    code_info,
    email_templates,
    enrollment_codes,
    general_messages,
    organizations,
    sms_templates,
    themes,
    user_organizations,
)
from api.people import (
    confirmations,
    individuals,
    password_changes,
    password_resets,
    passwords,
    sign_ups,
    totp,
    user_changes,
    user_replications,
    users,
)
from api.services import Services
from api.sessions import anonymous_accesses, impersonation_requests, internal_auth, sessions, synthetic_user_tokens
from api.wiring import built

RESOURCES = (
    anonymous_accesses,
    authorization,
    code_info,
    confirmations,
    email_templates,
    enrollment_codes,
    general_messages,
    group_logs,
    groups,
    health,
    impersonation_requests,
    individuals,
    internal_auth,
    invitation_reports,
    invitations,
    onboarding_claims,
    onboarding_requests,
    organizations,
    password_changes,
    password_resets,
    passwords,
    referral_codes,
    registration_invitations,
    replicators,
    role_users,
    roles,
    rosters,
    service_documents,
    sessions,
    sign_ups,
    sms_templates,
    synthetic_user_tokens,
    tasks,
    themes,
    totp,
    user_changes,
    user_organizations,
    user_replications,
    users,
)

DOCUMENT = "/openapi.json"

Building = Callable[[], AbstractAsyncContextManager[Services]]


class State(TypedDict):
    """The state that the lifespan passes to every request."""

    services: Services


def create_app(settings: Settings) -> FastAPI:
    """Return the application of these settings. Its lifespan opens and closes everything that it needs."""

    @asynccontextmanager
    async def building() -> AsyncIterator[Services]:
        async with built(settings) as services:
            yield services

    return application(settings, routers(), building)


def application(settings: Settings, with_routers: list[ResourceRouter], building: Building) -> FastAPI:
    """Return an application of these routers; `building` opens and closes the services that they need."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[State]:
        async with building() as services:
            yield {"services": services}

    app = FastAPI(
        title="Rollbook",
        version=importlib.metadata.version("rollbook"),
        summary="Identity and authorization for care platforms.",
        openapi_tags=[router.tag for router in with_routers if router.tag["description"]],
        lifespan=lifespan,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # it would tell bodies, and asks at each request
    )
    document = Route(DOCUMENT, _document_of(app), include_in_schema=False)
    app.router.routes[:] = [document, *(route for route in app.router.routes if getattr(route, "path", "") != DOCUMENT)]
    if settings.docs:
        app.router.routes.extend(docs.routes(app.title, DOCUMENT))
    for router in with_routers:
        app.router.routes.extend(router.routes)
    errors.install(app)
    app.middleware_stack = Observed(Dispatch(app.router.routes, app.build_middleware_stack()), settings.public_url)
    app.openapi = lambda: _documented(app)  # type: ignore[method-assign]  # FastAPI's way to extend the document
    return app


def routers() -> list[ResourceRouter]:
    """Return the routers of all resources."""
    return [resource.router for resource in RESOURCES]


def openapi_document() -> dict[str, Any]:
    """Return the OpenAPI document, without reading the environment or opening a connection."""
    return create_app(Settings.model_construct()).openapi()


def _document_of(app: FastAPI) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint that serves the document, built once and in a thread, because that takes a second."""
    building = asyncio.Lock()
    document: list[bytes] = []

    async def openapi(_: Request) -> Response:
        async with building:
            if not document:
                document.append(await asyncio.to_thread(lambda: orjson.dumps(app.openapi())))
        return Response(document[0], media_type="application/json")

    return openapi


def _documented(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, summary=app.summary, tags=app.openapi_tags, routes=app.routes
        )
        schemes = {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
        document.setdefault("components", {})["securitySchemes"] = schemes
        app.openapi_schema = document
    return app.openapi_schema
