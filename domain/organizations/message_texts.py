"""What a message says: the template that applies, with its placeholders replaced (rulings L7, L8, L49 to L52, L65)."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from typing import NamedTuple, Protocol, TypeVar
from uuid import UUID

from domain.core.errors import Invalid
from domain.core.locales import FALLBACK_LOCALE
from domain.core.messages import Mailbox
from domain.organizations.default_texts import DEFAULT_EMAILS, DEFAULT_TEXT_MESSAGES
from domain.organizations.email_templates import EmailTemplateFields, require_valid_email
from domain.organizations.placeholders import substitute
from domain.organizations.sms_templates import SmsTemplateFields, require_valid_sms

Values = Mapping[str, str | None]
TFields = TypeVar("TFields", EmailTemplateFields, SmsTemplateFields)

_log = logging.getLogger(__name__)


class Origin(NamedTuple):
    """Whose templates apply: the organization's before those of the theme. `support` is the theme's mailbox."""

    organization_id: UUID | None = None
    theme_id: UUID | None = None
    support: Mailbox | None = None


class EmailText(NamedTuple):
    """An e-mail's text in the forms that the template has, None for one that it lacks, and who gets the answers."""

    subject: str
    text: str | None
    html: str | None
    reply_to: Mailbox | None


class Templates(Protocol):
    """The templates of organizations and themes as they are now."""

    async def emails(self, message_type: str, origin: Origin) -> Sequence[EmailTemplateFields]:
        """Return those of the type, in all locales and formats, of the organization and of the theme."""
        ...

    async def text_messages(self, message_type: str, origin: Origin) -> Sequence[SmsTemplateFields]:
        """Return those of the type, in all locales, of the organization and of the theme."""
        ...


class MessageTexts:
    """Finds and renders templates; one that no longer renders is logged and passed over."""

    def __init__(self, templates: Templates) -> None:
        self._templates = templates

    async def email(self, message_type: str, locale: str, origin: Origin, values: Values) -> EmailText:
        """Return the e-mail in the locale, or in English where nothing is in that locale."""
        own = await self._templates.emails(message_type, origin)
        defaults = [each for each in DEFAULT_EMAILS if each.type == message_type]
        return _first(_levels([*own, *defaults], locale, origin), lambda level: _email(level, origin, values))

    async def text_message(self, message_type: str, locale: str, origin: Origin, values: Values) -> str:
        """Return the text message, as `email` does."""
        own = await self._templates.text_messages(message_type, origin)
        defaults = [each for each in DEFAULT_TEXT_MESSAGES if each.type == message_type]
        return _first(_levels([*own, *defaults], locale, origin), lambda level: _text(level[0], origin, values))


def _levels(templates: Sequence[TFields], locale: str, origin: Origin) -> Iterator[list[TFields]]:
    """Yield the levels in their order: organization, theme and default in the locale, then the same in English."""
    owners: list[tuple[UUID | None, UUID | None]] = [(None, None)]
    if origin.theme_id is not None:
        owners.insert(0, (None, origin.theme_id))
    if origin.organization_id is not None:
        owners.insert(0, (origin.organization_id, None))
    for wanted in dict.fromkeys((locale, FALLBACK_LOCALE)):
        for places in [(organization, theme, wanted) for organization, theme in owners]:
            level = [each for each in templates if (each.organization_id, each.theme_id, each.locale) == places]
            if level:
                yield level


TText = TypeVar("TText")


def _first(levels: Iterator[list[TFields]], render: Callable[[list[TFields]], TText]) -> TText:
    """Return the first level that renders. The last one is a default, which does (a test proves it)."""
    for level in levels:
        try:
            return render(level)
        except Invalid as refusal:
            owner = level[0].organization_id or level[0].theme_id
            facts = (level[0].type, level[0].locale, owner, type(refusal).__name__)
            _log.warning("template-passed-over type=%s locale=%s owner=%s reason=%s", *facts)
    raise LookupError("a default text does not render")


def _email(level: list[EmailTemplateFields], origin: Origin, values: Values) -> EmailText:
    forms = {}
    for fields in sorted(level, key=lambda each: each.format):
        require_valid_email(fields)
        known = {**values, **_support(fields.support_email, fields.support_email_title, origin)}
        write = escape if fields.format == "html" else str
        forms[fields.format] = substitute(fields.template, known, write)
    first = min(level, key=lambda each: each.format)  # "html" before "txt"
    known = {**values, **_support(first.support_email, first.support_email_title, origin)}
    subject = substitute(first.subject, known, _in_one_line)
    support = next((each for each in level if each.support_email is not None), None)
    reply_to = None
    if support is not None and support.support_email is not None:
        reply_to = Mailbox(support.support_email, support.support_email_title)
    return EmailText(subject, forms.get("txt"), forms.get("html"), reply_to)


def _text(fields: SmsTemplateFields, origin: Origin, values: Values) -> str:
    require_valid_sms(fields)
    return substitute(fields.template, {**values, **_support(None, None, origin)})


def _support(address: str | None, title: str | None, origin: Origin) -> Values:
    """The template's own support address, else that of the theme."""
    support = Mailbox(address, title) if address is not None else origin.support
    return {} if support is None else {"support_email": support.address, "support_email_title": support.name}


def _in_one_line(value: str) -> str:
    return value.replace("\r\n", " ").replace("\r", " ").replace("\n", " ")
