"""Parses and formats mailboxes: `Name <address>`."""

from email.headerregistry import Address
from email.utils import parseaddr

from domain.core.messages import Mailbox


def format_mailbox(mailbox: Mailbox) -> str:
    """Return `Name <address>`, with the name in quotation marks if it needs them, or the bare address."""
    return mailbox.address if not mailbox.name else f"{_name(mailbox.name)} <{mailbox.address}>"


def parse_mailbox(text: object) -> object:
    """Return the mailbox in `Name <address>` or a bare address. Raises ValueError for any other text."""
    if not isinstance(text, str):
        return text
    name, address = parseaddr(text)
    if address.count("@") != 1 or not all(address.split("@")) or any(character.isspace() for character in address):
        raise ValueError("must be an address or Name <address>")
    return Mailbox(address, name or None)


def _name(name: str) -> str:
    return str(Address(" ".join(name.split()), "x", "y")).removesuffix(" <x@y>")
