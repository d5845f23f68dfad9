"""E-mail addresses of requests (semantics 2, rulings D17, O5 and O8)."""

import re
from collections.abc import Iterable
from itertools import islice
from typing import Annotated, Any

import email_validator
from pydantic import AfterValidator, BeforeValidator, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from api.documents.fields import STORABLE, Items, in_nfc
from domain.core.errors import Invalid
from domain.people.login_names import address_domain, email_key

# The library's own way to accept addresses in reserved domains such as `.test` (ruling D17).
email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()

# Addresses that need no library: it takes up to a millisecond for one, and a roster call may bring 10,000.
PLAIN_ADDRESS = re.compile(
    r"(?=.{1,64}@)[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:(?=[A-Za-z0-9-]{1,63}\.)[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*\.)+[A-Za-z]{2,63}"
)
LIKE_AN_ADDRESS = re.compile(r"[^@]+@[^@\s]+|\".*\"@[^@\s]+", re.DOTALL)
MAX_UNUSUAL_ADDRESSES = 100
"""Of one request (ruling O8): those that only the library can judge, non-ASCII ones above all."""


def _composed_address(value: Any) -> Any:
    """In NFC where it may be an address, which few of a long list may be."""
    if not isinstance(value, str) or value.isascii() or not LIKE_AN_ADDRESS.fullmatch(value[:255]):
        return value
    return in_nfc(value, 254)


def _email_syntax(text: str) -> str:
    if PLAIN_ADDRESS.fullmatch(text):
        return text
    try:
        if not LIKE_AN_ADDRESS.fullmatch(text):
            raise email_validator.EmailSyntaxError
        email_validator.validate_email(text, check_deliverability=False, allow_quoted_local=True, strict=True)
        address_domain(text.rpartition("@")[2])
    except (email_validator.EmailNotValidError, Invalid):
        # the library's text quotes the address
        raise PydanticCustomError("email", "Input should be an e-mail address") from None
    return text


EmailText = Annotated[
    str,
    StringConstraints(strict=True, max_length=254),
    BeforeValidator(_composed_address),
    AfterValidator(_email_syntax),
    STORABLE,
    WithJsonSchema({"type": "string", "format": "email", "maxLength": 254}),
]
"""An e-mail address by its syntax (RFC 2822), as given but for NFC: nothing is asked of the DNS."""
Email255 = Annotated[EmailText, WithJsonSchema({"type": "string", "format": "email", "maxLength": 255})]
"""The same where the contract shows another limit; no valid address has 255 characters (RFC 3696, erratum 1690)."""


def folded_emails(emails: Iterable[str]) -> tuple[str, ...]:
    """The addresses in their order, each once, as they are compared (ruling O5)."""
    first: dict[str, str] = {}
    for email in emails:
        first.setdefault(email_key(email), email)
    return tuple(first.values())


def few_unusual_addresses(items: Any) -> Any:
    """What was sent, unless more of it than MAX_UNUSUAL_ADDRESSES would have to be judged by the library."""
    if isinstance(items, list):
        unusual = (each for each in items if isinstance(each, str) and not PLAIN_ADDRESS.fullmatch(each))
        costly = (each for each in unusual if LIKE_AN_ADDRESS.fullmatch(each[:255]))
        if next(islice(costly, MAX_UNUSUAL_ADDRESSES, None), None) is not None:
            text = f"At most {MAX_UNUSUAL_ADDRESSES} unusual e-mail addresses may be given at once"
            raise PydanticCustomError("emails", text)
    return items


SomeRosterEmails = Annotated[
    tuple[EmailText, ...], Items(least=1, most=10_000, made=folded_emails, check=few_unusual_addresses)
]
