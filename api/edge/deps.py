"""The dependencies that endpoints declare by type. Those for callers are in `api.edge.caller`.

    PathId        the UUID in the path:   @router.get("/v1/…/{id}/")  with  `group_id: PathId`
    ReadingDep    opens snapshots with a position, see `api.edge.reading`
    IdentityDep   the commands, for `execute`
    ExecuteDep    carries out a command once, see `api.edge.execution`
    AccessDep     the authorization engine
    PermissionsDep  checks of permissions, for the beginning of a read
    IndexingDep   the index of individuals, for long lists of them

A query string is declared as `query: FromQuery[GroupListQuery]`, a body by its model: `body: CreateGroup`.
"""

from typing import Annotated, TypeVar

from fastapi import Depends, Path, Query
from starlette.requests import Request

from adapters.security.tokens import Tokens
from api.documents.fields import UuidText
from api.documents.parameters import Parameters
from api.edge.access import ReadAccess
from api.edge.execution import Execute, execute
from api.edge.indexing import Indexing
from api.edge.reading import Reading, reading
from api.services import Services, services_of
from domain.application import Identity
from domain.core.permissions import Permissions
from domain.sessions.service_accounts import TokenReviewer


async def all_services(request: Request) -> Services:
    """Return all services, for endpoints that need one without a dependency of its own."""
    return services_of(request)


async def identity(request: Request) -> Identity:
    """Return the commands."""
    return services_of(request).identity


async def access(request: Request) -> ReadAccess:
    """Return the authorization engine."""
    return services_of(request).access


async def permissions(request: Request) -> Permissions:
    """Return the checks of permissions."""
    return services_of(request).identity.permissions


async def indexing(request: Request) -> Indexing:
    """Return the index of individuals."""
    return services_of(request).indexing


async def signer(request: Request) -> Tokens:
    """Return the signer of tokens."""
    return services_of(request).signer


async def reviewer(request: Request) -> TokenReviewer:
    """Return the reviewer of the tokens of service accounts."""
    return services_of(request).reviewer


TQuery = TypeVar("TQuery", bound=Parameters)

PathId = Annotated[UuidText, Path(alias="id")]
FromQuery = Annotated[TQuery, Query()]
ReadingDep = Annotated[Reading, Depends(reading)]
ExecuteDep = Annotated[Execute, Depends(execute)]
IdentityDep = Annotated[Identity, Depends(identity)]
PermissionsDep = Annotated[Permissions, Depends(permissions)]
AccessDep = Annotated[ReadAccess, Depends(access)]
IndexingDep = Annotated[Indexing, Depends(indexing)]
ServicesDep = Annotated[Services, Depends(all_services)]
SignerDep = Annotated[Tokens, Depends(signer)]
ReviewerDep = Annotated[TokenReviewer, Depends(reviewer)]
