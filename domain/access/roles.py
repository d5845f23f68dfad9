"""Roles of organizations and who holds them. A role knows its holders, so that it never loses its last live one."""

from dataclasses import field
from typing import Protocol
from uuid import UUID, uuid5

from eventsourcing.domain import event

from domain.core.audited import Audited
from domain.core.errors import Conflict, Forbidden, NotFound
from domain.core.principal import Principal

ORGANIZATION_ADMIN = "org.admin"
SYSTEM_ADMIN = "carium.admin"
KEPT = (ORGANIZATION_ADMIN, SYSTEM_ADMIN)


class RoleNotFound(NotFound):
    """There is no such role, or the caller may not see it."""


class LastAdmin(Conflict, code="last-admin"):
    detail = "A user who can sign in has to keep this role."


class SystemRole(Forbidden):
    detail = "Only a system administrator may hand out or take back this role."


def role_id(organization_id: UUID, name: str) -> UUID:
    """The id of an organization's role, from its name."""
    return uuid5(organization_id, f"role:{name}")


class Holder(Protocol):
    """A user who holds a role, or is to hold it."""

    @property
    def live(self) -> bool: ...
    def is_staff_of(self, organization_id: UUID) -> bool:
        """Whether the holder is one of the operator's own people and a provider of the organization."""
        ...


class Role(Audited):
    """Its holders by user id: whether they count, as those do who can do what the role is for."""

    TOPIC = "role"

    organization_id: UUID
    name: str
    display_name: str
    holders: dict[UUID, bool] = field(default_factory=dict)

    class Created(Audited.Created):
        TOPIC = "role.created"
        organization_id: UUID
        name: str
        display_name: str

    class Granted(Audited.Event):
        """The event's position is the id of the role-user that it makes."""

        TOPIC = "role.granted"
        user_id: UUID
        live: bool

    class Revoked(Audited.Event):
        TOPIC = "role.revoked"
        user_id: UUID

    class HolderStatusChanged(Audited.Event):
        TOPIC = "role.holder-status-changed"
        user_id: UUID
        live: bool

    @classmethod
    def create(cls, organization_id: UUID, name: str, display_name: str) -> "Role":
        return cls._create(
            cls.Created,
            id=role_id(organization_id, name),
            organization_id=organization_id,
            name=name,
            display_name=display_name,
        )

    def require_assignable_by(self, principal: Principal) -> None:
        """Raise SystemRole when the role is the system administrators' and the principal is not one of them."""
        if self.name == SYSTEM_ADMIN and not principal.system:
            raise SystemRole(meta={"role-id": str(self.id)})

    def counts(self, holder: Holder) -> bool:
        """Whether the holder can do what the role is for: the system administrators' is for staff members only."""
        return holder.live and (self.name != SYSTEM_ADMIN or holder.is_staff_of(self.organization_id))

    def grant(self, user_id: UUID, *, live: bool) -> None:
        if user_id not in self.holders:
            self._granted(user_id, live)

    def revoke(self, user_id: UUID) -> None:
        """Raise LastAdmin when no live user would hold an administrator's role any more."""
        if user_id in self.holders:
            self._require_another_holder(user_id)
            self._revoked(user_id)

    def holder_became(self, user_id: UUID, *, live: bool) -> None:
        """Raise LastAdmin when the last live holder of an administrator's role would cease to be live."""
        if self.holders.get(user_id, live) != live:
            if not live:
                self._require_another_holder(user_id)
            self._holder_status_changed(user_id, live)

    def _require_another_holder(self, user_id: UUID) -> None:
        others = any(live for holder, live in self.holders.items() if holder != user_id)
        if self.name in KEPT and self.holders[user_id] and not others:
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
