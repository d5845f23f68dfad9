"""/v1/password-strength/: how hard a password is to guess."""

from starlette.responses import Response

from adapters.security.client_address import CLIENT_ADDRESS
from api.documents.people import passwords as documents
from api.edge.bodies import MAX_CREDENTIALS_BODY
from api.edge.deps import IdentityDep
from api.edge.envelope import answer
from api.edge.route import answers, contract_router
from api.edge.throttles import CallThrottle

router = contract_router("password-strength", "How hard passwords are to guess.")

LABELS = ("very-weak", "weak", "fair", "good", "strong")
GOOD = 3
"""The score from which on there is nothing to suggest."""
UNKNOWN = -1
PER_ADDRESS = CallThrottle(
    "password-checks", lambda settings: settings.password_checks_address, 15 * 60, lambda _: CLIENT_ADDRESS.get()
)


@router.post(
    "/v1/password-strength/",
    **answers(
        documents.PasswordStrength,
        201,
        secret=True,
        waits=False,
        max_body=MAX_CREDENTIALS_BODY,
        throttle=PER_ADDRESS,
    ),
)
async def password_strength(body: documents.PasswordToRate, identity: IdentityDep) -> Response:
    """Rate a password, and look it up in known data leaks if asked to. Nothing is stored."""
    password, policy = body.password.get_secret_value(), identity.password_policy
    score, suggestions = await policy.rate(password)
    pwned = documents.Pwned(message="not checked", times=UNKNOWN)
    if body.check_pwned:
        pwned = _pwned(await policy.breached.times_seen(password))
    strength = documents.Strength(label=LABELS[score], value=score)
    suggestions = [] if score >= GOOD else suggestions
    return answer(documents.PasswordStrength(pwned=pwned, strength=strength, suggestions=list(suggestions)), 201)


def _pwned(times: int | None) -> documents.Pwned:
    if times is None:
        return documents.Pwned(message="unavailable", times=UNKNOWN)
    return documents.Pwned(message="found" if times else "not found", times=times)
