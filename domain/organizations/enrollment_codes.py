"""Organization codes, with which patients sign up and join an organization (rulings K3, K102 to K105).

A code is compared without case and is never given twice: its stream stays when it is deleted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from domain.core.audited import Audited
from domain.core.errors import AlreadyExists, Conflict, Invalid
from domain.core.permissions import Permissions
from domain.core.ports import Store
from domain.core.principal import Principal
from domain.core.records import Owner, Record, RecordChanged, RecordCreated, RecordDeleted, Records
from domain.groups.groups import GroupInactive
from domain.groups.permissions import GroupPermissions
from domain.organizations.enrollment import EnrollmentSchemas, require_enrollment_schema
from domain.organizations.organizations import Organization
from domain.organizations.ownership import require_active_organization


class OrganizationCodeTaken(AlreadyExists, argument="id"):
    """An organization has this code, or had it once."""


class CodeOfStaff(Conflict):
    """Staff work in this organization; patients cannot sign up for it."""


class ExpiryInThePast(Invalid):
    """A new code must expire in the future."""


class ForeignCodeGroup(Conflict):
    """The group belongs to another organization."""


class UnsuitableCodeGroup(Conflict):
    """Only a regular group can receive the people who sign up with a code."""


@dataclass(frozen=True)
class OrganizationCodeFields:
    """The fields of a code. `code` is as it was typed, `enrollment_schema` JSON text."""

    code: str
    organization_id: UUID
    expires_at: datetime | None = None
    enrollment_schema: str | None = None
    individual_group_id: UUID | None = None


def organization_code_id(code: str) -> UUID:
    """Return the id of the code, which is the same in every case of its letters."""
    return uuid5(NAMESPACE_URL, f"rollbook:organization-code:{code.lower()}")


class OrganizationCode(Record[OrganizationCodeFields]):
    """A code of an organization."""

    TOPIC = "organization-code"

    class Created(RecordCreated):
        """An organization code was created."""

        TOPIC = "organization-code.created"
        fields: OrganizationCodeFields

    class Changed(RecordChanged):
        """The organization code was changed."""

        TOPIC = "organization-code.changed"
        fields: OrganizationCodeFields

    class Deleted(RecordDeleted):
        """The organization code was deleted; nobody can sign up with it any more."""

        TOPIC = "organization-code.deleted"

    @classmethod
    def create(cls, fields: OrganizationCodeFields) -> "OrganizationCode":
        """Return a new code."""
        return cls._create(cls.Created, id=organization_code_id(fields.code), fields=fields)

    def admits_to(self, organization: Organization) -> bool:
        """Return whether people can sign up with the code now. `organization` is that of the code."""
        expires_at = self.fields.expires_at
        valid = not self.deleted and (expires_at is None or expires_at > datetime.now(UTC))
        return valid and organization.active and not organization.staffed


@dataclass(frozen=True, eq=False)
class OrganizationCodeOwner(Owner):
    """Lets administrators write the codes of their organization (ruling K55)."""

    store: Store
    permissions: Permissions

    async def require_creation(self, principal: Principal, fields: OrganizationCodeFields) -> Sequence[Audited]:
        """As in `domain.core.records.Owner`. Raises CodeOfStaff, OrganizationCodeTaken too."""
        await self.permissions.require_administrator(principal, fields.organization_id, argument="organization_id")
        organization = await require_active_organization(self.store, fields.organization_id)
        if organization.staffed:
            raise CodeOfStaff(argument="organization_id")
        if await self.store.find(OrganizationCode, organization_code_id(fields.code)) is not None:
            raise OrganizationCodeTaken
        return [organization]

    async def require_change(self, principal: Principal, fields: OrganizationCodeFields) -> Sequence[Audited]:
        """As in `domain.core.records.Owner`."""
        await self.require_deletion(principal, fields)
        return [await require_active_organization(self.store, fields.organization_id)]

    async def require_deletion(self, principal: Principal, fields: OrganizationCodeFields) -> None:
        """As in `domain.core.records.Owner`."""
        await self.permissions.require_administrator(principal, fields.organization_id)


class OrganizationCodes(Records[OrganizationCode]):
    """Commands on organization codes."""

    def __init__(self, store: Store, permissions: Permissions, schemas: EnrollmentSchemas) -> None:
        super().__init__(OrganizationCode, store, OrganizationCodeOwner(store, permissions))
        self._permissions = permissions
        self._groups = GroupPermissions(store, permissions)
        self._schemas = schemas

    async def create(self, principal: Principal, fields: OrganizationCodeFields) -> tuple[OrganizationCode, int]:
        """Create a code. Return it and the position of the event.

        Raises ExpiryInThePast, OrganizationNotFound, Forbidden, SchemaTooLarge, InvalidSchema, GroupNotFound,
        ForeignCodeGroup, UnsuitableCodeGroup, GroupInactive, InvalidState, CodeOfStaff, OrganizationCodeTaken.
        """
        organization_id = fields.organization_id
        # before permission (ruling A10), but not at the edge: a repeated request is answered as the first one was
        if fields.expires_at is not None and fields.expires_at <= datetime.now(UTC):
            raise ExpiryInThePast(argument="expires_at")
        # permission before cost: checking a schema may take a second
        await self._permissions.require_administrator(principal, organization_id, argument="organization_id")
        await require_enrollment_schema(self._schemas, fields.enrollment_schema)
        await self._require_group(principal, fields.individual_group_id, organization_id)
        return await super().create(principal, fields)

    async def change(
        self, principal: Principal, record_id: UUID, changes: Mapping[str, Any]
    ) -> tuple[OrganizationCode, int]:
        """Replace fields by name. Return the changed code and the position of the event.

        Raises NotFound, Forbidden, SchemaTooLarge, InvalidSchema, GroupNotFound, ForeignCodeGroup,
        UnsuitableCodeGroup, GroupInactive, InvalidState.
        """
        await self._require_changes(principal, record_id, changes)
        return await super().change(principal, record_id, changes)

    async def _require_changes(self, principal: Principal, record_id: UUID, changes: Mapping[str, Any]) -> None:
        code = await self._existing(record_id)
        await self._owner.require_deletion(principal, code.fields)
        await require_enrollment_schema(self._schemas, changes.get("enrollment_schema"))
        await self._require_group(principal, changes.get("individual_group_id"), code.fields.organization_id)

    async def _require_group(self, principal: Principal, group_id: UUID | None, organization_id: UUID) -> None:
        """Raise a refusal unless the organization's code may have this group (ruling K104).

        The group may become inactive at any time; then people who sign up are not placed.
        """
        if group_id is None:
            return
        argument = "individual_group_id"
        group = await self._groups.require_readable(principal, group_id, argument=argument)
        if group.organization_id != organization_id:
            raise ForeignCodeGroup(argument=argument)
        if group.type != "regular":
            raise UnsuitableCodeGroup(argument=argument)
        if not group.active:
            raise GroupInactive(argument=argument)
