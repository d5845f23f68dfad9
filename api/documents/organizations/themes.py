"""Themes: /v1/organization-themes/ (semantics 10, rulings L60, L61)."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StrictBool, StringConstraints

from api.documents.addresses import EmailText
from api.documents.common import Listing, Resource, Single, Strict
from api.documents.envelope import CreateRequest, UpdateRequest
from api.documents.fields import EXTENSION, MailboxName, Omittable, Text255
from api.documents.parameters import Bounds, Flag
from api.documents.people.people import PersonReference
from api.documents.records import RecordListQuery, Times
from domain.people.login_names import folded

HostName = Annotated[
    str,
    StringConstraints(
        strict=True,
        max_length=253,
        pattern=r"^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$",
    ),
]
"""A host name of two labels or more; the last begins with a letter, so that it is no address."""


class ThemeListQuery(RecordListQuery):
    """GET /v1/organization-themes/."""

    EQUAL: ClassVar = ("domain",)

    modified: Annotated[Bounds, Field(alias="filter[cmp-last-modified-time]")] = ()
    domain: Annotated[Omittable[Text255], Field(alias="filter[domain]")] = None
    include_inactive: Annotated[Flag, Field(alias="filter[include-inactive]")] = False
    support_email: Annotated[Omittable[EmailText], Field(alias="filter[support-email]")] = None

    def conditions(self) -> list[tuple[str, Any]]:
        """Return the filters, with those that are more than an equality."""
        found = super().conditions() + [
            (f"r.modified_at {bound.comparator} {{}}", bound.moment) for bound in self.modified
        ]
        if self.support_email is not None:
            found.append(("r.support_email_key = {}", folded(self.support_email)))
        if not self.include_inactive:
            found.append(("r.is_active = {}", True))
        return found


class ThemeToCreate(Strict):
    domain: HostName
    support_email: EmailText
    support_email_name: MailboxName | None = None


class CreateTheme(CreateRequest[Literal["organization-themes"], ThemeToCreate]):
    """POST /v1/organization-themes/."""


class ThemeChanges(Strict):
    """What is to change; `given()` tells which were sent."""

    domain: Omittable[HostName] = None
    is_active: Annotated[Omittable[StrictBool], Field(json_schema_extra=EXTENSION)] = None
    support_email: Omittable[EmailText] = None
    support_email_name: MailboxName | None = None


class UpdateTheme(UpdateRequest[Literal["organization-themes"], ThemeChanges]):
    """PATCH /v1/organization-themes/{id}/."""


class ThemeAttributes(Times):
    created_by: PersonReference | None
    domain: str
    is_active: Annotated[bool, Field(json_schema_extra=EXTENSION)]
    last_modified_by: PersonReference | None
    support_email: str
    support_email_name: str | None


class ThemeResource(Resource[ThemeAttributes]):
    type: Literal["organization-themes"] = "organization-themes"


class ThemeDocument(Single[ThemeResource]):
    """Answers creation, detail and PATCH."""


class ThemeList(Listing[ThemeResource]):
    """Answers GET /v1/organization-themes/."""
