"""Texts of messages: the template that applies, with its placeholders replaced (rulings L7, L8, L49 to L52, L65)."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from typing import NamedTuple, Protocol, TypeVar
from uuid import UUID

from domain.core.errors import Invalid
from domain.core.locales import FALLBACK_LOCALE
from domain.core.messages import Channel, Mailbox
from domain.organizations.default_texts import DEFAULT_EMAILS, DEFAULT_TEXT_MESSAGES
from domain.organizations.email_templates import EmailTemplateFields, require_valid_email
from domain.organizations.notice_texts import NOTICES
from domain.organizations.placeholders import substitute
from domain.organizations.sms_templates import SmsTemplateFields, require_valid_sms

Values = Mapping[str, str | None]
TFields = TypeVar("TFields", EmailTemplateFields, SmsTemplateFields)

_log = logging.getLogger(__name__)


class Origin(NamedTuple):
    """Whose templates apply to a message: the organization's before the theme's. `support` is the theme's mailbox."""

    organization_id: UUID | None = None
    theme_id: UUID | None = None
    support: Mailbox | None = None


class MessageText(NamedTuple):
    """The text of a message; a format that the template lacks is None. Answers to an e-mail go to `reply_to`."""

    subject: str | None
    text: str | None
    html: str | None
    reply_to: Mailbox | None


class Templates(Protocol):
    """Reads the present templates of organizations and themes."""

    async def emails(self, message_type: str, origin: Origin) -> Sequence[EmailTemplateFields]:
        """Return the e-mail templates of the type, in all locales and formats, of the organization and the theme."""
        ...

    async def text_messages(self, message_type: str, origin: Origin) -> Sequence[SmsTemplateFields]:
        """Return the text message templates of the type, in all locales, of the organization and the theme."""
        ...


class MessageTexts:
    """Finds and renders templates. It logs a template that can no longer be rendered, and takes the next one."""

    def __init__(self, templates: Templates) -> None:
        self._templates = templates

    async def of_channel(
        self, channel: Channel, message_type: str, locale: str, origin: Origin, values: Values
    ) -> MessageText:
        """Return the text of an e-mail or a text message in the locale, or in English when no template has it."""
        if channel == "email":
            return await self.email(message_type, locale, origin, values)
        return MessageText(None, await self.text_message(message_type, locale, origin, values), None, None)

    async def email(self, message_type: str, locale: str, origin: Origin, values: Values) -> MessageText:
        """Return the e-mail in the locale, or in English when no template has the locale."""
        templates = await self._templates.emails(message_type, origin)
        defaults = [template for template in (*DEFAULT_EMAILS, *NOTICES) if template.type == message_type]
        return _first(_levels([*templates, *defaults], locale, origin), lambda level: _email(level, origin, values))

    async def text_message(self, message_type: str, locale: str, origin: Origin, values: Values) -> str:
        """Return the text message in the locale, or in English when no template has the locale."""
        templates = await self._templates.text_messages(message_type, origin)
        defaults = [template for template in DEFAULT_TEXT_MESSAGES if template.type == message_type]
        return _first(_levels([*templates, *defaults], locale, origin), lambda level: _text(level[0], origin, values))


def _levels(templates: Sequence[TFields], locale: str, origin: Origin) -> Iterator[list[TFields]]:
    """Yield the templates of each level: organization, theme and default in the locale, then the same in English."""
    owners: list[tuple[UUID | None, UUID | None]] = [(None, None)]
    if origin.theme_id is not None:
        owners.insert(0, (None, origin.theme_id))
    if origin.organization_id is not None:
        owners.insert(0, (origin.organization_id, None))
    for level_locale in dict.fromkeys((locale, FALLBACK_LOCALE)):
        for owner in owners:
            level = [
                template
                for template in templates
                if (template.organization_id, template.theme_id) == owner and template.locale == level_locale
            ]
            if level:
                yield level


TText = TypeVar("TText")


def _first(levels: Iterator[list[TFields]], render: Callable[[list[TFields]], TText]) -> TText:
    """Return the text of the first level that can be rendered. A test proves that the last one, a default text, can."""
    for level in levels:
        try:
            return render(level)
        except Invalid as refusal:
            owner = level[0].organization_id or level[0].theme_id
            facts = (level[0].type, level[0].locale, owner, type(refusal).__name__)
            _log.warning("template-passed-over type=%s locale=%s owner=%s reason=%s", *facts)
    raise LookupError("a default text cannot be rendered")


def _email(level: list[EmailTemplateFields], origin: Origin, values: Values) -> MessageText:
    texts = {}
    templates = sorted(level, key=lambda template: template.format)  # "html" before "txt"
    for fields in templates:
        require_valid_email(fields)
        all_values = {**values, **_support(fields.support_email, fields.support_email_title, origin)}
        write = escape if fields.format == "html" else str
        texts[fields.format] = substitute(fields.template, all_values, write)
    first = templates[0]
    all_values = {**values, **_support(first.support_email, first.support_email_title, origin)}
    subject = _in_one_line(substitute(first.subject, all_values))
    with_support = next((template for template in level if template.support_email is not None), None)
    reply_to = None
    if with_support is not None and with_support.support_email is not None:
        reply_to = Mailbox(with_support.support_email, with_support.support_email_title)
    return MessageText(subject, texts.get("txt"), texts.get("html"), reply_to)


def _text(fields: SmsTemplateFields, origin: Origin, values: Values) -> str:
    require_valid_sms(fields)
    return substitute(fields.template, {**values, **_support(None, None, origin)})


def _support(address: str | None, title: str | None, origin: Origin) -> Values:
    """Return the values for the support address: that of the template, or else that of the theme."""
    support = Mailbox(address, title) if address is not None else origin.support
    return {} if support is None else {"support_email": support.address, "support_email_title": support.name}


def _in_one_line(text: str) -> str:
    """Return the text without separators of lines, of which a header of an e-mail may have none (ruling K42)."""
    return " ".join(text.splitlines())
