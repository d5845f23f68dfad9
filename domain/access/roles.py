"""Roles of organizations and their holders. A role knows its holders, so that it never loses its last live one."""

from dataclasses import field
from typing import Protocol
from uuid import UUID, uuid5

from eventsourcing.domain import event

from domain.core.audited import Audited
from domain.core.errors import Conflict, Forbidden, NotFound
from domain.core.principal import Principal

ORGANIZATION_ADMIN = "org.admin"
SYSTEM_ADMIN = "carium.admin"
ADMIN_ROLES = (ORGANIZATION_ADMIN, SYSTEM_ADMIN)


class RoleNotFound(NotFound):
    """The role does not exist, or the caller may not see it."""


class LastAdmin(Conflict, code="last-admin"):
    """At least one user who can sign in has to keep this role."""


class SystemRole(Forbidden):
    """Only a system administrator may grant or revoke this role."""


def role_id(organization_id: UUID, name: str) -> UUID:
    """Return the id of the organization's role with this name."""
    return uuid5(organization_id, f"role:{name}")


class Holder(Protocol):
    """A user who holds a role or is being granted it."""

    @property
    def live(self) -> bool: ...
    def is_staff_of(self, organization_id: UUID) -> bool:
        """Return whether the holder is staff and a provider of the organization."""
        ...


class Role(Audited):
    """A role of an organization.

    `holders` maps the id of each user who holds the role to whether they are live: able to use the role.
    """

    TOPIC = "role"

    organization_id: UUID
    name: str
    display_name: str
    holders: dict[UUID, bool] = field(default_factory=dict)

    class Created(Audited.Created):
        """A role was created."""

        TOPIC = "role.created"
        organization_id: UUID
        name: str
        display_name: str

    class Granted(Audited.Event):
        """A user was granted the role; the position of the event is the id of the new role-user."""

        TOPIC = "role.granted"
        user_id: UUID
        live: bool

    class Revoked(Audited.Event):
        """The role was revoked from a user."""

        TOPIC = "role.revoked"
        user_id: UUID

    class HolderStatusChanged(Audited.Event):
        """A holder became able or unable to use the role."""

        TOPIC = "role.holder-status-changed"
        user_id: UUID
        live: bool

    @classmethod
    def create(cls, organization_id: UUID, name: str, display_name: str) -> "Role":
        """Return a new role without holders."""
        return cls._create(
            cls.Created,
            id=role_id(organization_id, name),
            organization_id=organization_id,
            name=name,
            display_name=display_name,
        )

    def require_assignable_by(self, principal: Principal) -> None:
        """Raise SystemRole when a principal who is no system administrator grants or revokes the role of those."""
        if self.name == SYSTEM_ADMIN and not principal.system:
            raise SystemRole(meta={"role-id": str(self.id)})

    def counts(self, holder: Holder) -> bool:
        """Return whether the holder is able to use the role; only staff can use the role of system administrators."""
        return holder.live and (self.name != SYSTEM_ADMIN or holder.is_staff_of(self.organization_id))

    def grant(self, user_id: UUID, *, live: bool) -> None:
        """Make the user a holder of the role. Record no event when they are one already."""
        if user_id not in self.holders:
            self._granted(user_id, live)

    def revoke(self, user_id: UUID) -> None:
        """End the user's role. Raises LastAdmin when they are the last live holder of an administrator's role."""
        if user_id in self.holders:
            self._require_another_holder(user_id)
            self._revoked(user_id)

    def change_holder_status(self, user_id: UUID, *, live: bool) -> None:
        """Record whether a holder is live. Raises LastAdmin for the last live holder of an administrator's role."""
        if self.holders.get(user_id, live) != live:
            if not live:
                self._require_another_holder(user_id)
            self._holder_status_changed(user_id, live)

    def _require_another_holder(self, user_id: UUID) -> None:
        others_live = any(live for holder, live in self.holders.items() if holder != user_id)
        if self.name in ADMIN_ROLES and self.holders[user_id] and not others_live:
            raise LastAdmin(meta={"role-id": str(self.id)})

    @event(Granted)
    def _granted(self, user_id: UUID, live: bool) -> None:
        self.holders[user_id] = live

    @event(Revoked)
    def _revoked(self, user_id: UUID) -> None:
        del self.holders[user_id]

    @event(HolderStatusChanged)
    def _holder_status_changed(self, user_id: UUID, live: bool) -> None:
        self.holders[user_id] = live
