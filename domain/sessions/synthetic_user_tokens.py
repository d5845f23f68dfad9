"""Synthetic user tokens: a service acts as a user for a short time (rulings K59, K126 and K127)."""

from dataclasses import dataclass
from uuid import UUID, uuid4

from domain.core.borrowed import require_own_session
from domain.core.errors import Forbidden
from domain.core.ports import Store
from domain.core.principal import Principal
from domain.organizations.organizations import Organization
from domain.organizations.staff import is_privileged
from domain.people.individuals import sharing_organizations
from domain.people.users import NotInOrganization, User, UserNotFound
from domain.sessions.commands import SignedIn
from domain.sessions.sessions import Session, current_organization, require_live

OWN_CLAIMS = frozenset({
    "iss", "sub", "aud", "exp", "nbf", "iat", "jti", "sid", "org", "typ", "act", "amr", "auth_time", "impersonated-by",
})  # fmt: skip
"""Claims that we set, or that tell who somebody is; nobody else may add them to a token (ruling K127)."""


@dataclass(frozen=True, eq=False)
class SyntheticUserTokens:
    """The command that opens synthetic sessions. `identity` and `sessions` are the stores of the two logs."""

    identity: Store
    sessions: Store

    async def open(
        self, principal: Principal, user_id: UUID, *, organization_id: UUID | None, seconds: int
    ) -> SignedIn:
        """Open a session of at most an hour in which a service acts as the user; it cannot be refreshed.

        `organization_id` is one of a provider's organizations, by default the current one, or one with which a
        participant shares. Raises ImpersonationNotAllowed, Forbidden, UserNotFound, UserNotLive, NotInOrganization.
        """
        require_own_session(principal, "issue a synthetic token")
        principal.require_service()
        position = await self.identity.save()
        user = await self.identity.find(User, user_id)
        if user is None or user.kind == "service":
            raise UserNotFound(argument="user_id")
        if await is_privileged(self.identity, user):
            raise Forbidden(argument="user_id")
        require_live(user)
        session = Session.open(
            uuid4(),
            user,
            organization_id=await self._organization_of(user, organization_id),
            position=position,
            kind="synthetic",
            seconds=seconds,
        )
        await self.sessions.save(session)
        return SignedIn(session, user, session.access_until(), None)

    async def _organization_of(self, user: User, organization_id: UUID | None) -> UUID | None:
        """Return the organization of the session: None for a participant. Raises NotInOrganization."""
        if organization_id is None:
            return await current_organization(self.identity, user)
        inside = user.organizations or await sharing_organizations(self.identity, user)
        organization = await self.identity.find(Organization, organization_id)
        if organization is None or not organization.active or organization_id not in inside:
            raise NotInOrganization(argument="organization_id")
        return organization_id if user.organizations else None
