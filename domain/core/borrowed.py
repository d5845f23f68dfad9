"""What borrowed sessions may not do: those in which staff or a service acts as another user (semantics 4, ruling K131).

One table says it. A command asks it once the resource that the request names is found and permitted, before it looks
up anything else. Everything that does not stand in the table, such sessions may do as the user may.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from domain.core.errors import Forbidden
from domain.core.principal import Principal, SessionKind

Act = Literal["end another session"]

IMPERSONATED, SYNTHETIC = frozenset[SessionKind]({"impersonated"}), frozenset[SessionKind]({"synthetic"})

FORBIDDEN: Mapping[Act, frozenset[SessionKind]] = MappingProxyType({
    "end another session": IMPERSONATED | SYNTHETIC,
})  # fmt: skip


class ImpersonationNotAllowed(Forbidden, code="impersonation-not-allowed"):
    detail = "Only the user may do this, in a session of their own."


def require_own_session(principal: Principal, act: Act) -> None:
    """Raise ImpersonationNotAllowed when the principal's session is of a kind that may not do this."""
    if principal.kind in FORBIDDEN[act]:
        raise ImpersonationNotAllowed
