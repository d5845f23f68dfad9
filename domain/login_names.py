"""What people sign in with, as it is compared."""

import phonenumbers


def normal_phone(text: str) -> str:
    """The number in E.164; as given when it is none."""
    try:
        return phonenumbers.format_number(phonenumbers.parse(text, None), phonenumbers.PhoneNumberFormat.E164)
    except phonenumbers.NumberParseException:
        return text


def normal_login(text: str) -> str:
    """What is compared of a username, an e-mail address or a phone number: never its case or its blanks."""
    folded = text.strip().casefold()
    return normal_phone(folded) if folded.startswith("+") else folded
