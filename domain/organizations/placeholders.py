"""What may stand in double braces in a template (rulings L49 to L51)."""

import re
from collections.abc import Callable, Collection, Mapping

from domain.core.errors import Invalid

EVERYWHERE = frozenset(
    {"first_name", "last_name", "email", "organization_name", "support_email", "support_email_title", "domain"}
)
CODE = frozenset({"code"})
CODE_AND_LINK = frozenset({"code", "link"})
MESSAGE = frozenset({"sender_name", "link"})

_PLACEHOLDER = re.compile(r"\{\{ *([a-z_]+) *\}\}")
_MARKUP = re.compile(r"\{\{|\}\}|\{%|\{#")
_TRIPLE = re.compile(r"\{{3}|\}{3}")


class UnknownPlaceholders(Invalid):
    detail = "These placeholders are not available in this type of message."


class MalformedPlaceholder(Invalid):
    detail = "Placeholders are written as {{ name }}; other markup is not available."


class MissingPlaceholder(Invalid):
    detail = "A message of this type must hold its code or its link."


def require_placeholders(text: str, allowed: Collection[str], *, argument: str, one_of: Collection[str] = ()) -> None:
    """Raise Invalid for markup that is no placeholder, unknown placeholders, or when none of `one_of` stands there."""
    if _TRIPLE.search(text) or _MARKUP.search(_PLACEHOLDER.sub(" ", text)):
        raise MalformedPlaceholder(argument=argument)
    found = set(_PLACEHOLDER.findall(text))
    unknown = sorted(found - EVERYWHERE - set(allowed))
    if unknown:
        raise UnknownPlaceholders(argument=argument, meta={"placeholders": unknown})
    if one_of and found.isdisjoint(one_of):
        raise MissingPlaceholder(argument=argument)


def substitute(text: str, values: Mapping[str, str | None], write: Callable[[str], str] = str) -> str:
    """Return the text with each placeholder replaced by its value as `write` writes it; absent values by nothing."""
    return _PLACEHOLDER.sub(lambda found: write(values.get(found[1]) or ""), text)
