"""Themes: the host name and the support address of the messages of organizations (rulings L31, L60)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from eventsourcing.domain import event

from domain.core.audited import Audited
from domain.core.errors import AlreadyExists, Forbidden, InvalidState, NotFound
from domain.core.principal import Principal
from domain.core.records import Owner, Record, RecordChanged, RecordCreated


class DomainTaken(AlreadyExists, argument="domain"):
    """Another theme, active or not, has this domain."""


class ThemeInUse(InvalidState):
    """An organization uses this theme."""


@dataclass(frozen=True)
class ThemeFields:
    """The fields of a theme. `domain` is a host name in lower case, `support_email` an address as it was typed."""

    domain: str
    support_email: str
    support_email_name: str | None = None
    is_active: bool = True


class Theme(Record[ThemeFields]):
    """A theme; `organizations` are the organizations that use it."""

    TOPIC = "theme"

    organizations: set[UUID] = field(default_factory=set, init=False)

    class Created(RecordCreated):
        """A theme was created."""

        TOPIC = "theme.created"
        fields: ThemeFields

    class Changed(RecordChanged):
        """The theme was changed."""

        TOPIC = "theme.changed"
        fields: ThemeFields

    class Assigned(Audited.Event):
        """The theme was assigned to an organization."""

        TOPIC = "theme.assigned"
        organization_id: UUID

    class Unassigned(Audited.Event):
        """An organization stopped using the theme."""

        TOPIC = "theme.unassigned"
        organization_id: UUID

    def require_valid(self) -> None:
        """Raise ThemeInUse when an inactive theme is assigned to an organization."""
        if self.organizations and not self.fields.is_active:
            raise ThemeInUse(argument="is_active")

    def require_active(self, *, argument: str | None = None) -> None:
        """Raise InvalidState when the theme is inactive."""
        if not self.fields.is_active:
            raise InvalidState(argument=argument)

    def assign(self, organization_id: UUID) -> None:
        """Assign the theme to the organization. Raises InvalidState when the theme is inactive."""
        self.require_active(argument="theme_id")
        if organization_id not in self.organizations:
            self._assigned(organization_id)

    def unassign(self, organization_id: UUID) -> None:
        """Record that the organization no longer uses the theme."""
        if organization_id in self.organizations:
            self._unassigned(organization_id)

    @event(Assigned)
    def _assigned(self, organization_id: UUID) -> None:
        self.organizations.add(organization_id)

    @event(Unassigned)
    def _unassigned(self, organization_id: UUID) -> None:
        self.organizations.discard(organization_id)


class ThemeOwner(Owner):
    """Lets system administrators write themes and staff read them; other principals do not find a theme by its id.

    Themes cannot be deleted (ruling L18).
    """

    async def require_creation(self, principal: Principal, fields: Any) -> Sequence[Audited]:  # noqa: ARG002
        """As in `domain.core.records.Owner`."""
        principal.require_system_administrator()
        return ()

    async def require_change(self, principal: Principal, fields: Any) -> Sequence[Audited]:  # noqa: ARG002
        """As in `domain.core.records.Owner`."""
        if not principal.system:
            raise Forbidden if principal.staff else NotFound
        return ()
