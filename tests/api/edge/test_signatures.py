"""Whatever asks for no caller stands in this list (semantics 4, first row); everything else needs a token."""

from starlette.routing import Route

from api.app import routers
from api.edge.execution import execute
from api.edge.route import ContractRoute

ANYBODY = {
    "GET /.well-known/jwks.json",
    "GET /.well-known/openid-configuration",
    "GET /healthz",
    "GET /metrics",
    "GET /readyz",
    "GET /service-documents/{id}/",
    "GET /v1/organization-code-info/{id}/",
    "GET /v1/service-documents/",
    "GET /v1/service-documents/{id}/",
    "POST /v1/confirm-forgot-password/",
    "POST /v1/confirm-sign-up/",
    "POST /v1/forgot-password/",
    "POST /v1/anonymous-accesses/{id}/proxy/",
    "POST /v1/internal-auth/",
    "POST /v1/login/",
    "POST /v1/onboarding-info/",
    "POST /v1/password-strength/",
    "POST /v1/resend-invitation/",
    "POST /v1/refresh-token/",
    "POST /v1/resend-confirmation/",
    "POST /v1/sign-up/",
    "POST /v2/internal-auth/",
}

WITHOUT_KEYS = {
    "POST /v1/anonymous-accesses/{id}/proxy/",
    "POST /v1/mfa-totp/", "POST /v1/mfa-totp/{id}/enable/", "POST /v1/mfa-totp/{id}/recovery-codes/",
    "POST /v1/password-strength/", "POST /v1/internal-auth/", "POST /v1/login/", "POST /v1/refresh-token/",
    "POST /v2/internal-auth/",
    "POST /v1/authenticate/", "POST /v1/authz-get-accessible-resources/", "POST /v1/authz-resource-access/",
    "POST /v1/bulk-authz-resource-access/", "POST /v1/confirm-forgot-password/", "POST /v1/confirm-sign-up/",
    "POST /v1/forgot-password/", "POST /v1/onboarding-info/", "POST /v1/resend-confirmation/",
    "POST /v1/resend-invitation/", "POST /v1/sign-up/", "POST /v1/users/{id}/switch-organization/",
    "POST /v1/impersonation-requests/{id}/impersonate/", "POST /v1/synthetic-user-tokens/",
}  # fmt: skip
"""They hand out tokens or secrets, or only look (rulings A6, B4 and K141)."""
HAND_OUT_SECRETS = {
    "POST /v1/mfa-totp/", "POST /v1/mfa-totp/{id}/enable/", "POST /v1/mfa-totp/{id}/recovery-codes/",
    "POST /v1/impersonation-requests/{id}/impersonate/", "POST /v1/synthetic-user-tokens/",
    "POST /v1/users/{id}/switch-organization/",
}  # fmt: skip
"""Those of them that need a token."""


READ_BY_ANYBODY = {"POST /v1/onboarding-info/"}
"""Those of them that only look although they need no token."""

SMALL = "a small document from memory, the same for every caller"
UNBOUNDED = {"GET /.well-known/jwks.json": SMALL, "GET /.well-known/openid-configuration": SMALL}
"""Operations that need no token and have no throttle, and why they need none."""


def routes() -> list[Route]:
    return [route for router in routers() for route in router.routes if isinstance(route, Route)]


def named(route: Route) -> str:
    return f"{'|'.join(sorted(route.methods or ()))} {route.path}"


def test_only_these_operations_ask_for_no_token() -> None:
    anonymous = {named(route) for route in routes() if not isinstance(route, ContractRoute) or route.anonymous}
    assert anonymous == ANYBODY


def test_every_operation_without_a_token_declares_a_throttle() -> None:
    anonymous = [route for route in routes() if isinstance(route, ContractRoute) and route.anonymous]
    assert {named(route) for route in anonymous if route.flags.throttle is None} == UNBOUNDED.keys()


def test_every_operation_but_the_health_is_refused_in_the_one_order() -> None:
    others = {route.path for route in routes() if not isinstance(route, ContractRoute)}
    assert others == {"/healthz", "/readyz", "/metrics"}


def test_every_other_command_by_post_knows_idempotency_keys() -> None:
    posts = [route for route in routes() if isinstance(route, ContractRoute) and route.methods == {"POST"}]
    assert {named(route) for route in posts if not route.remembers} == WITHOUT_KEYS
    others = ANYBODY - READ_BY_ANYBODY
    assert {named(route) for route in posts if route.reads} == WITHOUT_KEYS - others - HAND_OUT_SECRETS


def test_anonymous_callers_may_send_small_bodies_only() -> None:
    """Ruling O15: passwords, tokens and codes; a large body would be read and parsed for an unknown caller.

    The body of a sign-up has enrollment data, of up to 64 KiB (ruling K87); that of a proxied call is for another
    service.
    """
    posts = [route for route in routes() if isinstance(route, ContractRoute) and route.methods == {"POST"}]
    assert {route.flags.max_body for route in posts if route.anonymous} == {16 * 1024, 128 * 1024}
    assert {named(route) for route in posts if route.flags.max_body == 128 * 1024} == {
        "POST /v1/anonymous-accesses/{id}/proxy/",
        "POST /v1/sign-up/",
    }
    assert {route.flags.max_body for route in posts if not route.anonymous} == {8 * 1024 * 1024}


def test_every_command_is_carried_out_once() -> None:
    """None decides outside `execute`, where a retry would decide again."""
    commands = [route for route in routes() if isinstance(route, ContractRoute) and route.commands]
    assert all(execute in dict(route.signature.dependencies).values() for route in commands)


def test_no_path_hides_another() -> None:
    names = [named(route) for route in routes()]
    assert len(names) == len(set(names))


def test_paths_end_in_a_slash() -> None:
    assert {route.path for route in routes() if route.path.startswith("/v") and not route.path.endswith("/")} == set()
