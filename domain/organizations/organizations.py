"""Organizations: care providers, their settings and who may hand out what in them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
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
from domain.people.users import STAFF

OPERATOR_ID = uuid5(NAMESPACE_URL, "rollbook:operator")
"""The platform operator's own organization, made at the first start; the only one with system administrators."""
DESCRIPTIVE = ("name", "display_name", "classification", "provider_type", "timezone", "theme_id")
LOCAL = frozenset({"display_name", "timezone"})
"""What an organization's own administrators may change."""
SYSTEM_GROUP_NAMES: dict[GroupType, str] = {"all_participants": "All participants", "unassigned": "Unassigned"}


class OrganizationNotFound(NotFound):
    """There is no such organization, or the caller may not see it."""


class OrganizationNameTaken(AlreadyExists):
    detail = "Another organization has this name."
    argument = "name"


class SystemAdminsOnly(Forbidden):
    detail = "Only a system administrator may do this."


class Organization(Audited):
    TOPIC = "organization"

    name: str
    display_name: str
    classification: str
    provider_type: str
    timezone: str
    authorization_type: str
    theme_id: UUID | None = None
    active: bool = True

    class Created(Audited.Created):
        TOPIC = "organization.created"
        name: str
        display_name: str
        classification: str
        provider_type: str
        timezone: str
        authorization_type: str

    class DetailsChanged(Audited.Event):
        """The descriptive settings, all of them, as they are from now on."""

        TOPIC = "organization.details-changed"
        name: str
        display_name: str
        classification: str
        provider_type: str
        timezone: str
        theme_id: UUID | None

    class AuthorizationTypeChanged(Audited.Event):
        TOPIC = "organization.authorization-type-changed"
        authorization_type: str

    class Activated(Audited.Event):
        TOPIC = "organization.activated"

    class Deactivated(Audited.Event):
        TOPIC = "organization.deactivated"

    @classmethod
    def found(
        cls,
        organization_id: UUID,
        name: str,
        *,
        display_name: str,
        classification: str,
        provider_type: str,
        timezone: str,
    ) -> "Organization":
        """Return a new organization; what its providers may do is restricted until it is opened."""
        return cls._create(
            cls.Created,
            id=organization_id,
            name=name,
            display_name=display_name,
            classification=classification,
            provider_type=provider_type,
            timezone=timezone,
            authorization_type="restricted",
        )

    @property
    def staffed(self) -> bool:
        """Whether the operator's own people work here: only a system administrator adds people to it."""
        return is_staffed(self.id, self.classification)

    def change(self, changes: Mapping[str, Any]) -> None:
        """Change some attributes, `active` by the name `is_active`; the others stay."""
        assert changes.keys() <= {*DESCRIPTIVE, "authorization_type", "is_active"}, changes.keys()
        described = {name: getattr(self, name) for name in DESCRIPTIVE}
        if any(changes.get(name, now) != now for name, now in described.items()):
            self._details_changed(**{name: changes.get(name, now) for name, now in described.items()})
        if changes.get("authorization_type", self.authorization_type) != self.authorization_type:
            self._authorization_type_changed(changes["authorization_type"])
        if changes.get("is_active", self.active) != self.active:
            self._activated() if changes["is_active"] else self._deactivated()

    @event(DetailsChanged)
    def _details_changed(
        self,
        name: str,
        display_name: str,
        classification: str,
        provider_type: str,
        timezone: str,
        theme_id: UUID | None,
    ) -> None:
        self.name = name
        self.display_name = display_name
        self.classification = classification
        self.provider_type = provider_type
        self.timezone = timezone
        self.theme_id = theme_id

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
    """There is no such theme."""


@dataclass(frozen=True, eq=False)
class Organizations:
    """Commands on organizations. Each answers the organization as it is then, and the position that shows it."""

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
        """Create an organization with its administrators' role and its two computed groups.

        Raises Forbidden to all but system administrators, OrganizationNameTaken.
        """
        principal.require_system_administrator()
        organization = Organization.found(
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
        """Change some attributes. The organization's own administrators may change a few only.

        Raises NotFound, Forbidden, SystemAdminsOnly (one for each attribute), ThemeNotFound, InvalidState (the theme is
        inactive), OrganizationNameTaken.
        """
        await self.permissions.require_administrator(principal, organization_id)
        organization = await self.store.get(Organization, organization_id)
        if not principal.system:
            require_local(changes)
        themes = await self._assign_theme(organization, changes.get("theme_id", organization.theme_id))
        organization.change(changes)
        return organization, await self.store.save(organization, *themes)

    async def _assign_theme(self, organization: Organization, theme_id: UUID | None) -> list[Theme]:
        """Return the themes that the organization uses from now on and no longer (ruling L60)."""
        if theme_id == organization.theme_id:
            return []
        themes = await self.store.get_many(Theme, [each for each in (theme_id, organization.theme_id) if each])
        if theme_id is not None:
            if theme_id not in themes:
                raise ThemeNotFound(argument="theme_id")
            themes[theme_id].assign(organization.id)
        if organization.theme_id in themes:
            themes[organization.theme_id].unassign(organization.id)
        return list(themes.values())


def is_staffed(organization_id: UUID, classification: str) -> bool:
    """Whether the operator's own people work in the organization: it is theirs, or has their classification."""
    return organization_id == OPERATOR_ID or classification == STAFF


def system_groups(organization_id: UUID) -> list[Group]:
    """The two groups whose individuals are computed."""
    return [Group.create_computed(organization_id, kind, SYSTEM_GROUP_NAMES[kind]) for kind in SYSTEM_TYPES]


def require_local(changes: Iterable[str]) -> None:
    """Raise SystemAdminsOnly, one for each attribute that an organization's own administrators may not change."""
    refusals = [SystemAdminsOnly(argument=name) for name in changes if name not in LOCAL]
    if refusals:
        refusals[0].others = tuple(refusals[1:])
        raise refusals[0]
