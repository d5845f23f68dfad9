"""Placeholders in templates: names in double braces (rulings L49 to L51)."""

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
    """Messages of this type do not have these placeholders."""


class MalformedPlaceholder(Invalid):
    """A placeholder has the form {{ name }}; other markup is not allowed."""


class MissingPlaceholder(Invalid):
    """A message of this type must contain the code or the link."""


def require_placeholders(text: str, allowed: Collection[str], *, argument: str, one_of: Collection[str] = ()) -> None:
    """Raise Invalid for other markup, for unknown placeholders, and for a text without any of `one_of`."""
    if _TRIPLE.search(text) or _MARKUP.search(_PLACEHOLDER.sub(" ", text)):
        raise MalformedPlaceholder(argument=argument)
    names = set(_PLACEHOLDER.findall(text))
    unknown = sorted(names - EVERYWHERE - set(allowed))
    if unknown:
        raise UnknownPlaceholders(argument=argument, meta={"placeholders": unknown})
    if one_of and names.isdisjoint(one_of):
        raise MissingPlaceholder(argument=argument)


def substitute(text: str, values: Mapping[str, str | None], write: Callable[[str], str] = str) -> str:
    """Return the text with each placeholder replaced by the result of `write` for its value, "" for no value."""
    return _PLACEHOLDER.sub(lambda match: write(values.get(match[1]) or ""), text)
