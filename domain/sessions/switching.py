"""Switching a session to another organization of its user (ruling K73)."""

from dataclasses import dataclass
from uuid import UUID, uuid4

from domain.core.borrowed import require_own_session
from domain.core.errors import Forbidden, SessionRevoked
from domain.core.permissions import Permissions
from domain.core.ports import Store, retry_on_conflict, save_resting_on
from domain.core.principal import Principal
from domain.organizations.organizations import Organization
from domain.people.users import User
from domain.sessions.commands import SignedIn
from domain.sessions.sessions import Session, SessionRevocation, new_refresh_token, revocation_id


class NotYourOrganization(Forbidden, code="not-in-organization", argument="organization_id"):
    """You are not a provider of an active organization with this id."""


@dataclass(frozen=True, eq=False)
class OrganizationSwitches:
    """The command that switches. `identity` and `sessions` are the stores of the two logs."""

    identity: Store
    sessions: Store
    permissions: Permissions

    @retry_on_conflict
    async def switch(
        self, principal: Principal, user_id: UUID, organization_id: UUID, *, set_default: bool
    ) -> tuple[SignedIn, int]:
        """Replace the principal's session by one in the organization, and end it. Return the position of its end.

        With `set_default`, later sessions begin in the organization too. Raises NotFound, Forbidden,
        ImpersonationNotAllowed, NotYourOrganization, SessionRevoked.
        """
        await self.permissions.require_readable_user(principal, user_id)
        if user_id != principal.user_id:
            raise Forbidden
        require_own_session(principal, "switch the organization")
        if principal.service:
            raise Forbidden
        position = await self.identity.save()
        former = await self.sessions.get(Session, principal.session_id)
        user, organization, ended = await self.identity.find_each(
            (User, user_id), (Organization, organization_id), (SessionRevocation, revocation_id(former.id))
        )
        if ended is not None:
            raise SessionRevoked
        if user is None or organization is None or not organization.active or organization_id not in user.organizations:
            raise NotYourOrganization
        if set_default:
            user.change_default_organization(organization_id)
        session_id = uuid4()
        refresh_token = new_refresh_token(session_id)
        session = former.moved_to(organization_id, session_id, refresh_token, position=position)
        # before the former session ends, so that a crash in between does not log the user out
        await self.sessions.save(session)
        revocation = SessionRevocation.create(former.id, user_id)
        ended_at = await save_resting_on(self.identity, revocation, user, unchanged=[organization])
        return SignedIn(session, user, session.access_until(refreshed=True), refresh_token), ended_at
