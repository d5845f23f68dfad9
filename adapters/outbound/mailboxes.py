"""How mailboxes are written and read: `Name <address>`."""

from email.headerregistry import Address
from email.utils import parseaddr

from domain.core.messages import Mailbox


def written(mailbox: Mailbox) -> str:
    """Return it as people read it; the name in quotation marks where it needs them."""
    return mailbox.address if not mailbox.name else f"{_name(mailbox.name)} <{mailbox.address}>"


def mailbox_in(text: object) -> object:
    """Return the mailbox in `Name <address>` or a bare address. Raises ValueError for others."""
    if not isinstance(text, str):
        return text
    name, address = parseaddr(text)
    if address.count("@") != 1 or not all(address.split("@")) or any(each.isspace() for each in address):
        raise ValueError("must be an address or Name <address>")
    return Mailbox(address, name or None)


def _name(name: str) -> str:
    return str(Address(" ".join(name.split()), "x", "y")).removesuffix(" <x@y>")
