"""Where a message comes from: the organization, its theme, and the host of links (rulings L56 and L58)."""

from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from domain.core.messages import Mailbox
from domain.core.ports import Store
from domain.organizations.message_texts import Origin, Values
from domain.organizations.organizations import Organization
from domain.organizations.themes import Theme


class MessageOrigin(NamedTuple):
    """The organization of a message, None if it belongs to none. `link_base` has no slash at its end."""

    organization: Organization | None
    theme: Theme | None
    link_base: str

    @property
    def support(self) -> Mailbox | None:
        """Return the mailbox of the theme, which is the sender of its e-mails."""
        if self.theme is None:
            return None
        return Mailbox(self.theme.fields.support_email, self.theme.fields.support_email_name)

    @property
    def texts(self) -> Origin:
        """Return whose templates apply."""
        if self.organization is None:
            return Origin()
        return Origin(self.organization.id, self.organization.details.theme_id, self.support)

    @property
    def values(self) -> Values:
        """Return the values of the placeholders that are about the organization."""
        name = None if self.organization is None else self.organization.details.display_name
        return {"organization_name": name, "domain": self.link_base.partition("://")[2].partition("/")[0]}


@dataclass(frozen=True, eq=False)
class MessageOrigins:
    """Loads the origins of messages. `link_base` is the URL with which links begin unless the theme has a domain."""

    store: Store
    link_base: str

    async def of(self, organization_id: UUID | None) -> MessageOrigin:
        """Return the origin of a message of the organization. Raises NotFound."""
        if organization_id is None:
            return MessageOrigin(None, None, self.link_base)
        organization = await self.store.get(Organization, organization_id)
        theme_id = organization.details.theme_id
        theme = None if theme_id is None else await self.store.find(Theme, theme_id)
        base = self.link_base if theme is None else f"https://{theme.fields.domain}"
        return MessageOrigin(organization, theme, base)
