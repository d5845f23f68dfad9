"""Registration invitations: addresses of people whom an organization expects to sign up (rulings K58 and K108).

No message is sent. An invitation is claimed when a user confirms with that address verified.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from domain.core.audited import Audited
from domain.core.errors import AlreadyExists, Forbidden, LostRace
from domain.core.permissions import Permissions
from domain.core.personal import Personal
from domain.core.ports import AccessQuery, Store, retry_on_conflict
from domain.core.principal import Principal
from domain.organizations.ownership import require_active_organization
from domain.people.directory import Directory
from domain.people.users import User


class AlreadyInvited(AlreadyExists):
    """The organization has an unclaimed invitation of this address."""


class RegistrationInvitation(Audited):
    """An address that an organization invited. `claimed_by` is the user who confirmed it."""

    TOPIC = "registration-invitation"
    SNAPSHOT_EVERY = None

    organization_id: UUID
    email: Personal
    created_by: UUID
    claimed_at: datetime | None = None
    claimed_by: UUID | None = None

    class Created(Audited.Created):
        """An organization invited an e-mail address to sign up."""

        TOPIC = "registration-invitation.created"
        organization_id: UUID
        email: Personal
        created_by: UUID

    class Claimed(Audited.Event):
        """A user confirmed their account with this e-mail address."""

        TOPIC = "registration-invitation.claimed"
        user_id: UUID

        def apply(self, aggregate: "RegistrationInvitation") -> None:
            aggregate.claimed_at = self.timestamp
            aggregate.claimed_by = self.user_id

    @classmethod
    def create(cls, organization_id: UUID, email: str, created_by: UUID) -> "RegistrationInvitation":
        """Return a new invitation. The address is encrypted under the invitation's own key: it may be nobody's yet."""
        invitation_id = uuid4()
        return cls._create(
            cls.Created,
            id=invitation_id,
            organization_id=organization_id,
            email=Personal(invitation_id, email),
            created_by=created_by,
        )

    def claim(self, user_id: UUID) -> None:
        """Record that a user confirmed the address."""
        if self.claimed_at is None:
            self.trigger_event(self.Claimed, user_id=user_id)


@dataclass(frozen=True, eq=False)
class RegistrationInvitations:
    """Commands on registration invitations."""

    store: Store
    directory: Directory
    permissions: Permissions

    @retry_on_conflict
    async def create(self, principal: Principal, email: str) -> tuple[RegistrationInvitation, int]:
        """Invite the address to the current organization of the session. Return the invitation and the position.

        An unclaimed invitation of the same address is returned as it is. Raises Forbidden unless the principal
        administers the organization or the system; InvalidState when the organization is not active.
        """
        organization_id = principal.organization_id
        if organization_id is None or principal.service:
            raise Forbidden
        writing = AccessQuery("organization", organization_id, "write")
        (administers,) = await self.permissions.allows(principal, writing)
        if not (administers or principal.system):
            raise Forbidden
        organization = await require_active_organization(self.store, organization_id)
        invited = await self.directory.registration_invitations([email], organization_id)
        if invited:
            invitation = await self.store.get(RegistrationInvitation, invited[0])
            return invitation, await self.store.save(result=invitation.id)
        invitation = RegistrationInvitation.create(organization_id, email, principal.user_id)
        try:
            return invitation, await self.store.save(invitation, unchanged=[organization], result=invitation.id)
        except AlreadyInvited:  # at the same time: return that one
            raise LostRace from None


async def claimed_invitations(store: Store, directory: Directory, user: User) -> list[RegistrationInvitation]:
    """Return the invitations that a user claims by confirming, as they are now, to be saved with the user.

    There are none unless the user is being confirmed with a verified e-mail address.
    """
    email = user.names.revealed[0]
    confirming = any(isinstance(event, User.Confirmed) and event.email_verified for event in user.pending_events)
    if email is None or not confirming:
        return []
    ids = await directory.registration_invitations([email])
    invitations = await store.get_many(RegistrationInvitation, ids)
    for invitation in invitations.values():
        invitation.claim(user.id)
    return list(invitations.values())
