"""Bodies of authz3 and the grammar of access queries (ruling G9)."""

import uuid
from typing import Any

import pytest

from api.documents.access import authorization
from domain.core.ports import AccessQuery
from tests.api.documents.violations import ANN, complaints


def a_check(*queries: Any) -> dict[str, Any]:
    return {"user-id": ANN, "access-query": list(queries)}


TAKEN = [
    (authorization.ResourceAccess, a_check(*["group::read"] * 50)),
    (authorization.BulkResourceAccess, {"multi-user-ids": {"access-query": ["system::read"], "user-ids": []}}),
    (authorization.AccessibleResources, a_check("group::read") | {"page[limit]": 0}),
]

REFUSED = [
    (authorization.ResourceAccess, a_check(), "/access-query", "too_short"),
    (authorization.ResourceAccess, a_check(*["group::read"] * 51), "/access-query", "too_long"),
    (
        authorization.BulkResourceAccess,
        {"multi-user-ids": {"access-query": ["system::read"], "user-ids": [ANN] * 1001}},
        "/multi-user-ids/user-ids",
        "too_long",
    ),
    (
        authorization.AccessibleResources,
        a_check("group::read") | {"page[limit]": 100_001},
        "/page[limit]",
        "less_than_equal",
    ),
]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "group",
        "group:read",
        "group::",
        "group::delete",
        "group::READ",
        "Group::read",
        "individual::contain",
        "organization:7:read",
        f"group:{ANN.replace('-', '')}:read",
        f"group:{ANN}:read:",
        f"group:{ANN}:read\n",
        " group::read",
        "app.:x:read",
        "app.Upper:x:read",
        f"app.{'a' * 65}:x:read",
        "system:a:b:read",
        "system:x:contain",
        "user::read",
        "system:" + "x" * 250 + ":read",
        7,
        None,
    ],
)
def test_a_query_against_the_grammar_is_named_by_its_place(query: Any) -> None:
    assert complaints(authorization.ResourceAccess, a_check("group::read", query)) == [
        ("/access-query/1", "invalid-access-query")
    ]


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("group::contain", AccessQuery("group", None, "contain")),
        (f"individual:{ANN.upper()}:write", AccessQuery("individual", uuid.UUID(ANN), "write")),
        ("system::read", AccessQuery("system", "", "read")),
        ("app.cronkite:any text:write", AccessQuery("app.cronkite", "any text", "write")),
        ("system:" + "x" * 244 + ":read", AccessQuery("system", "x" * 244, "read")),
    ],
)
def test_a_query_keeps_its_text_beside_what_it_asks(text: str, asked: AccessQuery) -> None:
    (sent,) = authorization.ResourceAccess.model_validate(a_check(text)).access_query
    assert sent == (text, asked)
