"""Which text a message has, and how it is rendered."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import get_args
from uuid import UUID

import pytest

from domain.core.messages import Mailbox
from domain.organizations import email_templates, sms_templates
from domain.organizations.default_texts import DEFAULT_EMAILS, DEFAULT_TEXT_MESSAGES
from domain.organizations.email_templates import EmailTemplateFields, require_valid_email
from domain.organizations.message_texts import MessageTexts, Origin
from domain.organizations.notice_texts import notice_type
from domain.organizations.sms_templates import SmsTemplateFields, require_valid_sms
from domain.people.security_notices import NoticeReason

NORTH, THEME = UUID(int=1), UUID(int=2)
ORIGIN = Origin(NORTH, THEME, Mailbox("help@theme.test", "Theme"))
LOCALES = ("en_US", "es_US")
VALUES = {
    "code": "C0DE",
    "link": "https://x.test/?a=1&b=2",
    "organization_name": "A <b> & 'c' \"d\"",
    "first_name": None,
}
OF_NORTH = EmailTemplateFields(NORTH, None, "onboarding", "en_US", "txt", "From north", "north {{code}}")
OF_THEME = replace(OF_NORTH, organization_id=None, theme_id=THEME, subject="From the theme", template="theme {{code}}")


class Stored:
    """Templates as a test says."""

    def __init__(self, *emails: EmailTemplateFields, text_messages: Sequence[SmsTemplateFields] = ()) -> None:
        self._emails = emails
        self._text_messages = text_messages

    async def emails(self, message_type: str, origin: Origin) -> Sequence[EmailTemplateFields]:
        return self._emails

    async def text_messages(self, message_type: str, origin: Origin) -> Sequence[SmsTemplateFields]:
        return self._text_messages


async def subject(*templates: EmailTemplateFields, locale: str = "en_US", origin: Origin = ORIGIN) -> str | None:
    return (await MessageTexts(Stored(*templates)).email("onboarding", locale, origin, VALUES)).subject


def test_every_type_has_a_default_in_every_locale_and_format() -> None:
    emails = {(each.type, each.locale, each.format) for each in DEFAULT_EMAILS}
    assert emails == set(product(email_templates.PLACEHOLDERS, LOCALES, ("html", "txt")))
    texts = {(each.type, each.locale) for each in DEFAULT_TEXT_MESSAGES}
    assert texts == set(product(sms_templates.PLACEHOLDERS, LOCALES))


@pytest.mark.parametrize("fields", DEFAULT_EMAILS, ids=lambda each: f"{each.type} {each.locale} {each.format}")
def test_every_default_email_uses_the_values_of_its_type(fields: EmailTemplateFields) -> None:
    require_valid_email(fields)
    for name in {"organization_name", *email_templates.PLACEHOLDERS[fields.type]} - {"sender_name"}:
        assert f"{{{{{name}}}}}" in fields.template
    if fields.format == "html":
        assert f'<html lang="{fields.locale[:2]}">' in fields.template
        assert not {"<img", "<script", "http:", "https:"} & set(fields.template.split())
    assert len(fields.template) <= 65_536


@pytest.mark.parametrize("reason", get_args(NoticeReason))
@pytest.mark.parametrize("locale", LOCALES)
async def test_every_security_notice_has_a_text_without_code_and_link(reason: str, locale: str) -> None:
    text = await MessageTexts(Stored()).email(notice_type(reason), locale, ORIGIN, VALUES)
    assert text.subject
    assert text.text
    assert text.html
    assert not {"{{code}}", "{{link}}", "http"} & {*text.text.split(), *text.html.split()}


@pytest.mark.parametrize("fields", DEFAULT_TEXT_MESSAGES, ids=lambda each: f"{each.type} {each.locale}")
def test_every_default_text_message_uses_the_values_of_its_type(fields: SmsTemplateFields) -> None:
    require_valid_sms(fields)
    for name in {"organization_name", *sms_templates.PLACEHOLDERS[fields.type]}:
        assert f"{{{{{name}}}}}" in fields.template


async def test_templates_of_organizations_precede_themes_and_defaults() -> None:
    assert await subject(OF_THEME, OF_NORTH) == "From north"
    assert await subject(OF_THEME) == "From the theme"
    assert await subject() == "A <b> & 'c' \"d\" invites you"


async def test_the_locale_comes_before_the_organization() -> None:
    assert await subject(OF_NORTH, replace(OF_THEME, locale="es_US"), locale="es_US") == "From the theme"
    assert await subject(OF_NORTH, locale="es_US") == "A <b> & 'c' \"d\" le invita"
    assert await subject(OF_NORTH, locale="fr_FR") == "From north"


async def test_templates_of_no_organization_are_none_of_an_organization() -> None:
    assert await subject(OF_NORTH, OF_THEME, origin=Origin()) == "A <b> & 'c' \"d\" invites you"


async def test_levels_of_templates_are_not_mixed() -> None:
    email = await MessageTexts(Stored(OF_NORTH)).email("onboarding", "en_US", ORIGIN, VALUES)
    assert (email.text, email.html) == ("north C0DE", None)


async def test_values_are_escaped_in_html_and_subjects_have_one_line() -> None:
    html = replace(
        OF_NORTH, format="html", subject="{{ organization_name }}", template="<b>{{organization_name}}{{link}}"
    )
    txt = replace(html, format="txt", template="{{organization_name}} {{first_name}}{{code}}")
    values = {**VALUES, "organization_name": "a\r\nb<c>'\""}
    email = await MessageTexts(Stored(html, txt)).email("onboarding", "en_US", ORIGIN, values)
    assert email.html == "<b>a\r\nb&lt;c&gt;&#x27;&quot;https://x.test/?a=1&amp;b=2"
    assert email.text == "a\r\nb<c>'\" C0DE"
    assert email.subject == "a b<c>'\""


@pytest.mark.parametrize(
    "separator", ["\r\n", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"], ids=ascii
)
async def test_a_stored_separator_of_lines_is_a_blank_in_a_subject(separator: str) -> None:
    """Rulings K42 and L65."""
    stored = replace(OF_NORTH, subject=f"Join{separator}{{{{organization_name}}}}")
    values = {**VALUES, "organization_name": f"North{separator}Clinic"}
    email = await MessageTexts(Stored(stored)).email("onboarding", "en_US", ORIGIN, values)
    assert email.subject == "Join North Clinic"


async def test_a_template_sets_the_reply_address_and_a_theme_the_support() -> None:
    template = replace(OF_NORTH, template="{{code}} {{support_email}} {{support_email_title}}")
    email = await MessageTexts(Stored(template)).email("onboarding", "en_US", ORIGIN, VALUES)
    assert (email.text, email.reply_to) == ("C0DE help@theme.test Theme", None)
    own = replace(template, support_email="desk@north.test", support_email_title="Desk")
    email = await MessageTexts(Stored(own)).email("onboarding", "en_US", ORIGIN, VALUES)
    assert (email.text, email.reply_to) == ("C0DE desk@north.test Desk", Mailbox("desk@north.test", "Desk"))


@pytest.mark.parametrize("broken", ["{{gone}} {{code}}", "{{code}} {%", "no code"])
async def test_a_template_that_no_longer_renders_is_passed_over_and_logged(
    broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert await subject(replace(OF_NORTH, template=broken), OF_THEME) == "From the theme"
    assert "template-passed-over type=onboarding locale=en_US" in caplog.text
    assert "C0DE" not in caplog.text


async def test_text_messages_are_found_as_emails_are() -> None:
    own = SmsTemplateFields(NORTH, None, "verify", "en_US", "{{code}} from {{organization_name}}")
    texts = MessageTexts(Stored(text_messages=[own]))
    assert await texts.text_message("verify", "en_US", ORIGIN, VALUES) == "C0DE from A <b> & 'c' \"d\""
    assert (await texts.text_message("verify", "es_US", ORIGIN, VALUES)).startswith("C0DE es su código")
