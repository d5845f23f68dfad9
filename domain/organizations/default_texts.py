"""Default texts of messages, used when neither the organization nor the theme has a template (ruling L64)."""

from domain.organizations.email_templates import EmailTemplateFields
from domain.organizations.sms_templates import SmsTemplateFields

_EMAILS = {
    ("forgot-password", "en_US"): (
        "Your code to set a new password",
        "Hello {{first_name}},",
        "somebody asked to set a new password for this account. If that was you, this is your code:",
        "{{code}}",
        "If it was not you, ignore this message: your password stays as it is.",
    ),
    ("forgot-password", "es_US"): (
        "Su código para establecer una contraseña nueva",
        "Hola {{first_name}}:",
        "Alguien pidió establecer una contraseña nueva para esta cuenta. Si fue usted, este es su código:",
        "{{code}}",
        "Si no fue usted, ignore este mensaje: su contraseña no cambia.",
    ),
    ("messaging-patient", "en_US"): (
        "A new message from {{sender_name}}",
        "Hello {{first_name}},",
        "{{sender_name}} has written to you. Read the message here:",
        "{{link}}",
    ),
    ("messaging-patient", "es_US"): (
        "Un mensaje nuevo de {{sender_name}}",
        "Hola {{first_name}}:",
        "{{sender_name}} le ha escrito. Lea el mensaje aquí:",
        "{{link}}",
    ),
    ("messaging-provider", "en_US"): (
        "A new message from {{sender_name}}",
        "Hello {{first_name}},",
        "{{sender_name}} has sent a message to your organization. Read it here:",
        "{{link}}",
    ),
    ("messaging-provider", "es_US"): (
        "Un mensaje nuevo de {{sender_name}}",
        "Hola {{first_name}}:",
        "{{sender_name}} ha enviado un mensaje a su organización. Léalo aquí:",
        "{{link}}",
    ),
    ("onboarding", "en_US"): (
        "{{organization_name}} invites you",
        "Hello {{first_name}},",
        "{{organization_name}} invites you to sign up. Follow this link:",
        "{{link}}",
        "Your invitation code is {{code}}. Keep it to yourself.",
    ),
    ("onboarding", "es_US"): (
        "{{organization_name}} le invita",
        "Hola {{first_name}}:",
        "{{organization_name}} le invita a registrarse. Siga este enlace:",
        "{{link}}",
        "Su código de invitación es {{code}}. No lo comparta.",
    ),
    ("onboarding-provider", "en_US"): (
        "{{organization_name}} invites you to its team",
        "Hello {{first_name}},",
        "{{organization_name}} invites you to sign up as one of its providers. Follow this link:",
        "{{link}}",
        "Your invitation code is {{code}}. Keep it to yourself.",
    ),
    ("onboarding-provider", "es_US"): (
        "{{organization_name}} le invita a su equipo",
        "Hola {{first_name}}:",
        "{{organization_name}} le invita a registrarse como profesional de su equipo. Siga este enlace:",
        "{{link}}",
        "Su código de invitación es {{code}}. No lo comparta.",
    ),
    ("reverify-email", "en_US"): (
        "Confirm your new e-mail address",
        "Hello {{first_name}},",
        "this address was entered for your account. To confirm that it is yours, use this code:",
        "{{code}}",
    ),
    ("reverify-email", "es_US"): (
        "Confirme su nueva dirección de correo electrónico",
        "Hola {{first_name}}:",
        "Se indicó esta dirección para su cuenta. Para confirmar que es suya, use este código:",
        "{{code}}",
    ),
    ("verify-email", "en_US"): (
        "Confirm your e-mail address",
        "Hello {{first_name}},",
        "thank you for signing up. To confirm your e-mail address, use this code:",
        "{{code}}",
    ),
    ("verify-email", "es_US"): (
        "Confirme su dirección de correo electrónico",
        "Hola {{first_name}}:",
        "Gracias por registrarse. Para confirmar su dirección de correo electrónico, use este código:",
        "{{code}}",
    ),
}
"""The subject and the paragraphs, by type and locale."""

_TEXT_MESSAGES = {
    ("onboarding", "en_US"): "{{organization_name}} invites you to sign up: {{link}} Your code: {{code}}",
    ("onboarding", "es_US"): "{{organization_name}} le invita a registrarse: {{link}} Su código: {{code}}",
    ("onboarding-provider", "en_US"): "{{organization_name}} invites you to its team: {{link}} Your code: {{code}}",
    ("onboarding-provider", "es_US"): "{{organization_name}} le invita a su equipo: {{link}} Su código: {{code}}",
    ("reset-password", "en_US"): "{{code}} is your code to set a new password. {{organization_name}}",
    ("reset-password", "es_US"): "{{code}} es su código para establecer una contraseña nueva. {{organization_name}}",
    ("verify", "en_US"): "{{code}} is your code to confirm this phone number. {{organization_name}}",
    ("verify", "es_US"): "{{code}} es su código para confirmar este número de teléfono. {{organization_name}}",
}

_PAGE = """<!doctype html>
<html lang="LANGUAGE">
<head><meta charset="utf-8"><title>SUBJECT</title></head>
<body>
PARAGRAPHS
</body>
</html>
"""


def default_email(
    type_: str, locale: str, text_format: str, subject: str, paragraphs: tuple[str, ...]
) -> EmailTemplateFields:
    """Return the text of an e-mail in a format; the name of the organization stands below its paragraphs."""
    with_signature = (*paragraphs, "{{organization_name}}")
    template = "\n\n".join(with_signature) + "\n" if text_format == "txt" else _html(locale, subject, with_signature)
    return EmailTemplateFields(None, None, type_, locale, text_format, subject, template)


def _html(locale: str, subject: str, paragraphs: tuple[str, ...]) -> str:
    with_links = [text.replace("{{link}}", '<a href="{{link}}">{{link}}</a>') for text in paragraphs]
    page = _PAGE.replace("LANGUAGE", locale.partition("_")[0]).replace("SUBJECT", subject)
    return page.replace("PARAGRAPHS", "\n".join(f"<p>{text}</p>" for text in with_links))


DEFAULT_EMAILS = [
    default_email(type_, locale, text_format, subject, tuple(paragraphs))
    for (type_, locale), (subject, *paragraphs) in _EMAILS.items()
    for text_format in ("html", "txt")
]
DEFAULT_TEXT_MESSAGES = [
    SmsTemplateFields(None, None, type_, locale, template) for (type_, locale), template in _TEXT_MESSAGES.items()
]
