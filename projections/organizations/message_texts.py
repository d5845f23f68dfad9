"""Implements `domain.organizations.message_texts.Templates` over the tables of templates."""

from collections.abc import Sequence
from typing import Any

from domain.organizations.email_templates import EmailTemplateFields
from domain.organizations.message_texts import Origin
from domain.organizations.sms_templates import SmsTemplateFields
from projections.core.projection import Reader
from projections.organizations.email_templates import EMAIL_TEMPLATES
from projections.organizations.sms_templates import SMS_TEMPLATES

_OF_ORIGIN = "r.type = %(type)s AND (r.organization_id = %(organization)s OR r.theme_id = %(theme)s)"


class StoredTemplates:
    """Every question is one statement."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def emails(self, message_type: str, origin: Origin) -> Sequence[EmailTemplateFields]:
        parameters = _wanted(message_type, origin)
        return await self._reader.ask(lambda cursor: EMAIL_TEMPLATES.where(cursor, _OF_ORIGIN, parameters))

    async def text_messages(self, message_type: str, origin: Origin) -> Sequence[SmsTemplateFields]:
        parameters = _wanted(message_type, origin)
        return await self._reader.ask(lambda cursor: SMS_TEMPLATES.where(cursor, _OF_ORIGIN, parameters))


def _wanted(message_type: str, origin: Origin) -> dict[str, Any]:
    return {"type": message_type, "organization": origin.organization_id, "theme": origin.theme_id}
