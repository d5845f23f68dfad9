"""What borrowed sessions may not do: sessions in which staff or a service acts as another user (semantics 4, K131).

The table FORBIDDEN lists it. A command checks the table once it has found the resource in the path, and before it looks
up anything that the body names. It does not matter whose resource that is: the session of an administrator is borrowed
for what it does to others, too. A borrowed session may do everything else that the user may do.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from domain.core.errors import Forbidden
from domain.core.principal import Principal, SessionKind

Act = Literal[
    "change contacts", "change the password",
    "claim an onboarding request", "create a TOTP configuration", "delete a TOTP configuration", "disable TOTP",
    "enable TOTP", "end another session", "forget agreements", "impersonate", "issue a synthetic token",
    "replace recovery codes", "switch the organization",
]  # fmt: skip

IMPERSONATED, SYNTHETIC = frozenset[SessionKind]({"impersonated"}), frozenset[SessionKind]({"synthetic"})

FORBIDDEN: Mapping[Act, frozenset[SessionKind]] = MappingProxyType({
    "change contacts": IMPERSONATED | SYNTHETIC,
    "change the password": IMPERSONATED | SYNTHETIC,
    "claim an onboarding request": IMPERSONATED | SYNTHETIC,
    "create a TOTP configuration": IMPERSONATED | SYNTHETIC,
    "delete a TOTP configuration": IMPERSONATED | SYNTHETIC,
    "disable TOTP": IMPERSONATED | SYNTHETIC,
    "enable TOTP": IMPERSONATED | SYNTHETIC,
    "end another session": IMPERSONATED | SYNTHETIC,
    "forget agreements": IMPERSONATED | SYNTHETIC,
    "impersonate": IMPERSONATED | SYNTHETIC,
    "issue a synthetic token": IMPERSONATED | SYNTHETIC,
    "replace recovery codes": IMPERSONATED | SYNTHETIC,
    "switch the organization": SYNTHETIC,
})  # fmt: skip


class ImpersonationNotAllowed(Forbidden, code="impersonation-not-allowed"):
    """Only the user may do this, in a session that they opened themselves."""


def require_own_session(principal: Principal, act: Act) -> None:
    """Raise ImpersonationNotAllowed when sessions of the principal's kind may not do this."""
    if principal.kind in FORBIDDEN[act]:
        raise ImpersonationNotAllowed
