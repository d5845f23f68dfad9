import uuid

import pytest

from domain.access.queries import InvalidAccessQuery, parse
from domain.core.ports import AccessQuery

ANN = "6f1c1c3e-53b2-4f9c-9a51-0e2f4a0a7d11"


@pytest.mark.parametrize("operation", ["read", "write", "contain"])
def test_a_group_is_read_written_and_contains(operation: str) -> None:
    assert parse(f"group:{ANN}:{operation}") == ("group", uuid.UUID(ANN), operation)


@pytest.mark.parametrize("resource_type", ["group", "individual", "organization"])
def test_without_an_id_it_asks_for_any(resource_type: str) -> None:
    assert parse(f"{resource_type}::read") == AccessQuery(resource_type, None, "read")


def test_hex_digits_stand_in_any_case() -> None:
    assert parse(f"individual:{ANN.upper()}:write").resource_id == uuid.UUID(ANN)


@pytest.mark.parametrize(
    ("text", "resource_type", "name"),
    [
        ("system::read", "system", ""),
        ("system:any text at all:read", "system", "any text at all"),
        (f"system:{ANN}:read", "system", ANN),
        ("app.cronkite::read", "app.cronkite", ""),
        ("app.a_b-c.9:reports:read", "app.a_b-c.9", "reports"),
        ("app." + "a" * 64 + ":x:read", "app." + "a" * 64, "x"),
    ],
)
def test_system_and_apps_have_names_for_ids(text: str, resource_type: str, name: str) -> None:
    assert parse(text) == AccessQuery(resource_type, name, "read")


def test_the_longest_query_has_256_characters() -> None:
    assert parse("system:" + "x" * 244 + ":read").resource_id == "x" * 244
    with pytest.raises(InvalidAccessQuery):
        parse("system:" + "x" * 245 + ":read")


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "::",
        "group",
        "group:read",
        "group::",
        "group::Read",
        "group::delete",
        "Group::read",
        " group::read",
        "group::read ",
        "group::read\n",
        "group::read:",
        "group:::read",
        "group:7:read",
        f"group:{ANN}0:read",
        f"group:{{{ANN}}}:read",
        f"group:urn:uuid:{ANN}:read",
        f"group:{ANN.replace('-', '')}:read",
        f"group: {ANN}:read",
        "individual::contain",
        "organization::contain",
        "system::contain",
        "app.x::contain",
        "app:x:read",
        "app.:x:read",
        "app.X:x:read",
        "app.x/y:x:read",
        "app." + "a" * 65 + ":x:read",
        "user::read",
        "groups::read",
        "system:\0:read",
        "system:\ud800:read",
        "group:\uff16f1c1c3e-53b2-4f9c-9a51-0e2f4a0a7d11:read",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidAccessQuery):
        parse(text)
