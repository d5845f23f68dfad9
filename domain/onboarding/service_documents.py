"""Service documents: terms, policies and other documents that users agree to (rulings K63, K109 to K111)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from domain.core.audited import Audited
from domain.core.errors import AlreadyExists, Invalid
from domain.core.locales import FALLBACK_LOCALE, LOCALES
from domain.core.ports import Store
from domain.core.principal import Principal
from domain.core.records import Owner, Record, RecordCreated
from domain.organizations.ownership import require_active_organization

TYPE = r"[a-z0-9-]{1,64}"
MAX_VERSION = 32
MAX_TITLE = 255
MAX_HTML = 1024 * 1024
"""Bytes."""


class ServiceDocumentExists(AlreadyExists, argument="version"):
    """A document of this type and version exists already for the organization, or for all organizations."""


@dataclass(frozen=True)
class ServiceDocumentFields:
    """A document in several locales.

    `titles` and `html` are by locale; `locale` is the one that the document was written in. A document without an
    organization is for all organizations.
    """

    type: str
    version: str
    locale: str
    organization_id: UUID | None
    titles: dict[str, str]
    html: dict[str, str] = field(default_factory=dict)

    def best_locale(self, locale: str | None) -> str:
        """Return the locale to show: the given one, one of its language, English, or that of the document."""
        language = (locale or "").replace("-", "_").partition("_")[0]
        same_language = sorted(known for known in self.titles if known.partition("_")[0] == language)
        choices = (locale, *same_language, FALLBACK_LOCALE, self.locale)
        return next(choice for choice in choices if choice is not None and choice in self.titles)


class ServiceDocument(Record[ServiceDocumentFields]):
    """A document, which is never changed or deleted, because users have agreed to its text."""

    TOPIC = "service-document"

    class Created(RecordCreated):
        """A service document was created."""

        TOPIC = "service-document.created"
        fields: ServiceDocumentFields

    def require_valid(self) -> None:
        """Raise Invalid for an empty or too long value and for an unknown locale."""
        fields = self.fields
        valid = {
            "type": re.fullmatch(TYPE, fields.type),
            "locale": set(LOCALES) >= fields.titles.keys() == fields.html.keys(),
            "version": 0 < len(fields.version) <= MAX_VERSION,
            "title": all(0 < len(title) <= MAX_TITLE for title in fields.titles.values()),
            "html": all(0 < len(html.encode()) <= MAX_HTML for html in fields.html.values()),
        }
        for argument, is_valid in valid.items():
            if not is_valid:
                raise Invalid(f"This {argument} is not acceptable.", argument=argument)


class LatestDocument(NamedTuple):
    """The latest document of its type and organization.

    `required` tells whether a user has to agree to it, `agreed` whether they have agreed already.
    """

    id: UUID
    required: bool
    agreed: bool


@dataclass(frozen=True, eq=False)
class ServiceDocumentOwner(Owner):
    """System administrators create service documents; all callers may read them."""

    store: Store

    async def require_creation(self, principal: Principal, fields: ServiceDocumentFields) -> Sequence[Audited]:
        """As in `domain.core.records.Owner`."""
        principal.require_system_administrator()
        if fields.organization_id is None:
            return ()
        return [await require_active_organization(self.store, fields.organization_id)]
