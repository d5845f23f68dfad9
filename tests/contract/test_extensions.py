"""What the contract does not know says so in the document: `x-extension` (semantics 0.10 and 12)."""

from collections.abc import Iterator
from typing import Any

from tests.contract.described import Schema, documents

SINCE_THE_RULINGS = {"jsonapi", "meta", "page[limit]", "page[offset]", "page[total]"}
"""No extensions of ours: JSON:API's own members, and what every list has in its `meta` (semantics 2, ruling D14)."""
SECTION_12 = {
    "DELETE /v1/sessions/{id}/", "DELETE /v1/individual-groups/{id}/", "POST /v1/individuals/{id}/share/",
    "POST /v1/individuals/{id}/unshare/", "DELETE /v1/organization-email-templates/{id}/",
    "DELETE /v1/organization-general-messages/{id}/", "DELETE /v1/organization-sms-templates/{id}/",
    "DELETE /v1/organization-codes/{id}/",
    "POST /v1/onboarding-requests/claim/", "POST /v1/service-documents/", "GET /service-documents/{id}/",
    "POST /v1/forgot-password/", "POST /v1/resend-confirmation/",
    "POST /v1/mfa-totp/{id}/recovery-codes/",
    "GET /v1/tasks/{id}/", "GET /.well-known/jwks.json",
    "GET /.well-known/openid-configuration", "GET /healthz", "GET /readyz", "GET /metrics",
}  # fmt: skip
SHOWN_IN_PART = {"POST /v1/login/", "POST /v1/confirm-sign-up/", "POST /v1/confirm-forgot-password/"}
"""Operations that log in: the contract shows one of their two answers only."""
MARKS = {
    "GET /v1/replicators/": {"mode", "version", "position", "head", "lag-events", "lag-seconds", "state", "error"},
    "GET /v1/individual-group-logs/": {"user-id", "position"},
    "GET /v1/individuals/{id}/": {"shared-with", "position"},
    "PATCH /v1/organizations/{id}/": {"is-active", "position"},
    "POST /v1/onboarding-requests/": {"provider-roles", "position"},
    "GET /v1/sessions/{id}/": {"position"},
    "GET /v1/service-documents/{id}/": {"html", "position"},
    "POST /v1/mfa-totp/{id}/enable/": {"recovery-codes", "recovery-codes-left", "position"},
}
"""Some that the rulings name."""


def described(document: Schema) -> dict[str, Any]:
    """The operations by their titles."""
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def bodies(operation: Schema) -> Iterator[tuple[str, Schema]]:
    """What is sent and what is answered when all goes well."""
    answers = [(code, answer) for code, answer in operation["responses"].items() if code.startswith("2")]
    for place, holder in [("sent", operation.get("requestBody", {})), *answers]:
        for content in holder.get("content", {}).values():
            yield place, content.get("schema", {})


def members(document: Schema, schema: Schema) -> dict[str, list[Schema]]:
    """What may stand in an object or array, whichever alternative it is."""
    found: dict[str, list[Schema]] = {}
    for alternative in _alternatives(document, schema):
        for name, member in alternative.get("properties", {}).items():
            found.setdefault(name, []).append(member)
        if "items" in alternative:
            found.setdefault("[]", []).append(alternative["items"])
    return found


def _alternatives(document: Schema, schema: Schema) -> Iterator[Schema]:
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    yield schema
    for word in ("anyOf", "oneOf", "allOf"):
        for each in schema.get(word, ()):
            yield from _alternatives(document, each)


def unknown(theirs: list[Schema], ours: list[Schema], place: str) -> Iterator[tuple[str, str, bool]]:
    """Place, name and mark of the members that the contract does not have."""
    contract, app = documents()
    known: dict[str, list[Schema]] = {}
    for schema in theirs:
        for name, found in members(contract, schema).items():
            known.setdefault(name, []).extend(found)
    for schema in ours:
        for name, found in members(app, schema).items():
            if name in known:
                yield from unknown(known[name], found, f"{place}/{name}")
            elif name not in SINCE_THE_RULINGS and not (name == "id" and place == "sent/data"):
                yield place, name, any(each.get("x-extension") is True for each in found)


def unknown_of(title: str) -> Iterator[tuple[str, str, bool]]:
    """Of the bodies of an operation."""
    contract, app = documents()
    known = dict(bodies(described(contract)[title]))
    for place, found in bodies(described(app)[title]):
        yield from unknown([known.get(place, {})], [found], place)


def test_exactly_the_operations_outside_the_contract_are_marked() -> None:
    contract, app = documents()
    marked = {title for title, operation in described(app).items() if operation.get("x-extension") is True}
    assert marked == described(app).keys() - described(contract).keys()
    assert marked == SECTION_12


def test_members_that_the_contract_does_not_know_are_marked() -> None:
    contract, app = documents()
    unmarked: list[str] = []
    marked: dict[str, set[str]] = {title: set() for title in MARKS}
    for title in (described(app).keys() & described(contract).keys()) - SHOWN_IN_PART:
        for place, name, mark in unknown_of(title):
            if not mark:
                unmarked.append(f"{title} {place}/{name}")
            elif title in marked:
                marked[title].add(name)
    assert not unmarked, "\n".join(unmarked)
    assert marked == MARKS
