"""Texts of security notices, which organizations cannot change (ruling K41)."""

from domain.organizations.default_texts import default_email

SECURITY_NOTICE = "security-notice"

_CHANGES = {
    "password-changed": (
        ("Your password was changed", "the password of your account was changed."),
        ("Su contraseña ha cambiado", "se cambió la contraseña de su cuenta."),
    ),
    "email-changed": (
        ("Your e-mail address was changed", "the e-mail address of your account was changed."),
        (
            "Su dirección de correo electrónico ha cambiado",
            "se cambió el correo electrónico de su cuenta.",
        ),
    ),
    "phone-changed": (
        ("Your phone number was changed", "the phone number of your account was changed."),
        ("Su número de teléfono ha cambiado", "se cambió el número de teléfono de su cuenta."),
    ),
    "totp-enabled": (
        ("Two-step login was turned on", "login with a one-time code was turned on for your account."),
        ("Se activó el acceso en dos pasos", "se activó el acceso con código de un solo uso en su cuenta."),
    ),
    "totp-disabled": (
        ("Two-step login was turned off", "login with a one-time code was turned off for your account."),
        ("Se desactivó el acceso en dos pasos", "se desactivó el acceso con código de un solo uso en su cuenta."),
    ),
    "recovery-code-used": (
        ("A recovery code was used", "a recovery code was used to log in to your account."),
        ("Se usó un código de recuperación", "se usó un código de recuperación para acceder a su cuenta."),
    ),
}
_AROUND = {
    "en_US": ("Hello {{first_name}},", "If that was you, there is nothing to do. If not, set a new password now."),
    "es_US": (
        "Hola {{first_name}}:",
        "Si fue usted, no tiene que hacer nada. Si no, establezca una contraseña nueva ahora.",
    ),
}


def notice_type(reason: str) -> str:
    """Return the type of text of a notice with this reason."""
    return f"{SECURITY_NOTICE}/{reason}"


NOTICES = [
    default_email(notice_type(reason), locale, text_format, subject, (_AROUND[locale][0], change, _AROUND[locale][1]))
    for reason, in_locales in _CHANGES.items()
    for locale, (subject, change) in zip(_AROUND, in_locales, strict=True)
    for text_format in ("html", "txt")
]
