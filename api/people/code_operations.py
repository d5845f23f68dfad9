"""What the operations that send and take codes have in common (rulings K20, K21, K28, K90 and K91)."""

from typing import Any

from adapters.security.tokens import Tokens
from api.documents.people.codes import CodeAsked, LoginError
from api.edge.bodies import MAX_CREDENTIALS_BODY
from api.edge.errors import status_of
from api.edge.execution import Outcome
from api.edge.route import answers
from api.edge.throttles import Arguments, NamedFailureThrottle, NamedLimits, code_requests
from api.services import Services
from api.sessions.tokens import login_tokens
from domain.application import Identity
from domain.core.errors import DomainError
from domain.people.login_names import names_of
from domain.people.users import User
from domain.people.verification_codes import CodeMismatch
from domain.sessions.sessions import CodeUsed


def typed_name(arguments: Arguments) -> str:
    """Return the login name in the body."""
    return str(arguments["body"].username)


CODE_FAILURES = NamedFailureThrottle(
    NamedLimits(
        "code-failures",
        lambda settings: settings.code_failures,
        lambda settings: settings.code_failures_address,
        15 * 60,
        typed_name,
    ),
    (CodeMismatch,),
)
"""Wrong codes, of both operations that take codes; the right one is not wrong when it is late (ruling K21)."""


def sends_codes(operation: str) -> dict[str, Any]:
    """Return the arguments of the route of an operation that sends a code to whoever has the typed name (K20)."""
    return answers(
        CodeAsked,
        201,
        secret=True,
        extension=True,
        waits=False,
        max_body=MAX_CREDENTIALS_BODY,
        throttle=code_requests(operation, typed_name),
    )


async def clear_failures(services: Services, user: User) -> None:
    """Forget wrong passwords and codes under all names of the user, who has just proved to be themselves (K28)."""
    for name in names_of(*user.names.revealed):
        await services.identity.sessions.attempts.unlock(name.key)
        await services.throttle.clear(CODE_FAILURES.limits.of_name(services, name.key))


async def log_in_after(
    identity: Identity, signer: Tokens, user: User, outcome: Outcome, *, wanted: bool
) -> tuple[dict[str, Any] | None, LoginError | None]:
    """Return the members of a login document, or why the login is refused; neither if none is wanted.

    A code opens one session only: a repeated confirmation gets none.
    """
    if not wanted:
        return None, None
    try:
        if outcome.recorded_at is None:
            raise CodeUsed
        signed_in = await identity.sessions.log_in_with_code(user.id)
    except DomainError as refused:
        return None, LoginError(code=refused.code, detail=str(refused), status=status_of(refused))
    return login_tokens(signer, signed_in), None
