"""What both kinds of templates share: they are of an organization or of a theme (ruling L54)."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from api.documents.common import Strict
from api.documents.fields import EXTENSION, Omittable, UuidText, exactly_one
from api.documents.records import RecordListQuery, Times
from domain.core.locales import Locale


class OrganizationOrTheme(Strict):
    """Exactly one of the two ids is given."""

    locale: Locale
    organization_id: Omittable[UuidText] = None
    theme_id: Annotated[Omittable[UuidText], Field(json_schema_extra=EXTENSION)] = None

    _one_owner = exactly_one("organization-id", "theme-id", about="organization-id")


class TemplateChanges(Strict):
    """What is to change; `given()` tells which were sent."""

    locale: Omittable[Locale] = None


class TemplateListQuery(RecordListQuery):
    """Templates of an organization or of a theme; both together: none (ruling L62)."""

    organization_id: Omittable[UuidText] = None
    theme_id: Omittable[UuidText] = None
    locale: Annotated[Omittable[Locale], Field(alias="filter[locale]")] = None


class TemplateAttributes(Times):
    locale: Locale
    organization_id: UUID | None
    template: str
    theme_id: UUID | None
