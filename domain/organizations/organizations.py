"""Organizations: care providers and their settings."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

from eventsourcing.domain import event

from domain.access.roles import ORGANIZATION_ADMIN, Role
from domain.core.audited import Audited
from domain.core.errors import AlreadyExists, Forbidden, NotFound
from domain.core.permissions import Permissions
from domain.core.ports import Store, retry_on_conflict
from domain.core.principal import Principal
from domain.groups.groups import SYSTEM_TYPES, Group, GroupType
from domain.organizations.themes import Theme
from domain.people.user_state import STAFF

OPERATOR_ID = uuid5(NAMESPACE_URL, "rollbook:operator")
"""The operator's own organization, created at the first start; only this one has system administrators."""
LOCAL = frozenset({"display_name", "timezone"})
"""Attributes that an organization's own administrators may change."""
SYSTEM_GROUP_NAMES: dict[GroupType, str] = {"all_participants": "All participants", "unassigned": "Unassigned"}


class OrganizationNotFound(NotFound):
    """The organization does not exist, or the caller may not see it."""


class OrganizationNameTaken(AlreadyExists, argument="name"):
    """Another organization has this name."""


class SystemAdminsOnly(Forbidden):
    """Only a system administrator may do this."""


@dataclass(frozen=True)
class Details:
    """The descriptive settings of an organization."""

    name: str
    display_name: str
    classification: str
    provider_type: str
    timezone: str
    theme_id: UUID | None = None


class Organization(Audited):
    """A care provider and its settings."""

    TOPIC = "organization"

    details: Details
    authorization_type: str
    active: bool = True

    class Created(Audited.Created):
        """An organization was created."""

        TOPIC = "organization.created"
        details: Details
        authorization_type: str

    class DetailsChanged(Audited.Event):
        """The descriptive settings of the organization were replaced by these."""

        TOPIC = "organization.details-changed"
        details: Details

    class AuthorizationTypeChanged(Audited.Event):
        """The authorization type changed: what the organization's providers may do by default."""

        TOPIC = "organization.authorization-type-changed"
        authorization_type: str

    class Activated(Audited.Event):
        """The organization was activated again."""

        TOPIC = "organization.activated"

    class Deactivated(Audited.Event):
        """The organization was deactivated."""

        TOPIC = "organization.deactivated"

    @classmethod
    def create(cls, organization_id: UUID, name: str, **details: Any) -> "Organization":
        """Return a new organization with the authorization type "restricted". `details` are the other `Details`."""
        return cls._create(
            cls.Created, id=organization_id, details=Details(name, **details), authorization_type="restricted"
        )

    @property
    def staffed(self) -> bool:
        """Return whether staff work in the organization; only a system administrator may add people to it."""
        return is_staffed(self.id, self.details.classification)

    def change(self, changes: Mapping[str, Any]) -> None:
        """Change the given attributes; `is_active` is the name of `active`."""
        details = {name: value for name, value in changes.items() if name in Details.__dataclass_fields__}
        assert changes.keys() - details.keys() <= {"authorization_type", "is_active"}, changes.keys()
        changed = replace(self.details, **details)
        if changed != self.details:
            self._details_changed(changed)
        if changes.get("authorization_type", self.authorization_type) != self.authorization_type:
            self._authorization_type_changed(changes["authorization_type"])
        if changes.get("is_active", self.active) != self.active:
            self._activated() if changes["is_active"] else self._deactivated()

    @event(DetailsChanged)
    def _details_changed(self, details: Details) -> None:
        self.details = details

    @event(AuthorizationTypeChanged)
    def _authorization_type_changed(self, authorization_type: str) -> None:
        self.authorization_type = authorization_type

    @event(Activated)
    def _activated(self) -> None:
        self.active = True

    @event(Deactivated)
    def _deactivated(self) -> None:
        self.active = False


class ThemeNotFound(NotFound):
    """The theme does not exist."""


@dataclass(frozen=True, eq=False)
class Organizations:
    """Commands on organizations. Each returns the organization and the position of its events."""

    store: Store
    permissions: Permissions

    async def create(
        self,
        principal: Principal,
        name: str,
        *,
        display_name: str | None = None,
        classification: str = "customer",
        provider_type: str = "coach",
        timezone: str = "UTC",
    ) -> tuple[Organization, int]:
        """Create an organization with the role of its administrators and its two computed groups.

        Raises Forbidden unless the principal is a system administrator, and OrganizationNameTaken.
        """
        principal.require_system_administrator()
        organization = Organization.create(
            uuid4(),
            name,
            display_name=display_name or name,
            classification=classification,
            provider_type=provider_type,
            timezone=timezone,
        )
        role = Role.create(organization.id, ORGANIZATION_ADMIN, "Organization administrator")
        groups = system_groups(organization.id)
        return organization, await self.store.save(organization, role, *groups, result=organization.id)

    @retry_on_conflict
    async def change(
        self, principal: Principal, organization_id: UUID, changes: Mapping[str, Any]
    ) -> tuple[Organization, int]:
        """Change the given attributes. The organization's own administrators may change those in LOCAL only.

        Raises NotFound, Forbidden, SystemAdminsOnly (one for each attribute), ThemeNotFound, InvalidState (the theme is
        inactive), OrganizationNameTaken.
        """
        await self.permissions.require_administrator(principal, organization_id)
        organization = await self.store.get(Organization, organization_id)
        if not principal.system:
            require_local(changes)
        themes = await self._assign_theme(organization, changes.get("theme_id", organization.details.theme_id))
        organization.change(changes)
        return organization, await self.store.save(organization, *themes)

    async def _assign_theme(self, organization: Organization, theme_id: UUID | None) -> list[Theme]:
        """Assign the theme to the organization in place of its present one. Return both themes (ruling L60)."""
        if theme_id == organization.details.theme_id:
            return []
        theme_ids = [changed_id for changed_id in (theme_id, organization.details.theme_id) if changed_id]
        themes = await self.store.get_many(Theme, theme_ids)
        if theme_id is not None:
            if theme_id not in themes:
                raise ThemeNotFound(argument="theme_id")
            themes[theme_id].assign(organization.id)
        if organization.details.theme_id in themes:
            themes[organization.details.theme_id].unassign(organization.id)
        return list(themes.values())


def is_staffed(organization_id: UUID, classification: str) -> bool:
    """Return whether staff work in the organization: it is the operator's, or has the classification of staff."""
    return organization_id == OPERATOR_ID or classification == STAFF


def system_groups(organization_id: UUID) -> list[Group]:
    """Return the two new computed groups of the organization."""
    return [Group.create_computed(organization_id, kind, SYSTEM_GROUP_NAMES[kind]) for kind in SYSTEM_TYPES]


def require_local(changes: Iterable[str]) -> None:
    """Raise SystemAdminsOnly for each attribute that the organization's own administrators may not change."""
    refusals = [SystemAdminsOnly(argument=name) for name in changes if name not in LOCAL]
    if refusals:
        refusals[0].others = tuple(refusals[1:])
        raise refusals[0]
