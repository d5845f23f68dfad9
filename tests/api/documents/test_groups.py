"""Bodies of the group operations."""

import uuid
from typing import Any

from api.documents.groups import groups
from tests.api.documents.violations import ANN, BOB, in_envelope

ATTRIBUTES = "/data/attributes"


def a_group(**more: Any) -> dict[str, Any]:
    return in_envelope("individual-groups", {"name": "Ward 7", "organization-id": ANN} | more)


TAKEN = [
    (groups.CreateGroup, a_group()),
    (
        groups.CreateGroup,
        a_group(**{"leader-ids": [ANN], "individual-ids": [], "tags": ["a"], "type": "provider_only"}),
    ),
    (groups.AddUsers, {"user-ids": [ANN], "remove-from-group": BOB, "with-members": True}),
    (groups.AddUsers, {"user-emails": ["a@x.test"]}),
    (groups.AddIndividuals, {"individual-ids": [ANN] * 10_000}),
    (groups.MoveGroup, {"to-parent-group-id": ANN}),
    (groups.MoveGroup, {"to-parent-group-id": None}),
]

REFUSED = [
    (groups.CreateGroup, a_group(type="all_participants"), f"{ATTRIBUTES}/type", "literal_error"),
    (groups.CreateGroup, a_group(name=None), f"{ATTRIBUTES}/name", "string_type"),
    (groups.CreateGroup, a_group(tags=None), f"{ATTRIBUTES}/tags", "list_type"),
    (groups.CreateGroup, a_group(tags=["a", 1]), f"{ATTRIBUTES}/tags/1", "string_type"),
    (groups.CreateGroup, in_envelope("individual-groups", {"name": "x"}), f"{ATTRIBUTES}/organization-id", "missing"),
    (groups.UpdateGroup, in_envelope("individual-groups", {"name": None}, id=ANN), f"{ATTRIBUTES}/name", "string_type"),
    (groups.AddUsers, {}, "/user-ids", "missing"),
    (groups.AddUsers, {"user-ids": [ANN], "user-emails": ["a@x.org"]}, "/user-emails", "both"),
    (groups.AddUsers, {"user-ids": []}, "/user-ids", "too_short"),
    (groups.AddUsers, {"user-ids": [ANN], "with-members": "true"}, "/with-members", "bool_type"),
    (groups.AddUsers, {"user-ids": [ANN], "with-members": 1}, "/with-members", "bool_type"),
    (groups.AddIndividuals, {"individual-ids": [ANN] * 10_001}, "/individual-ids", "too_long"),
    (groups.AddIndividuals, {"individual-ids": [ANN], "remove-from-group": None}, "/remove-from-group", "uuid_text"),
    (groups.RemoveUsers, {"user-ids": [ANN], "remove-from-group": ANN}, "/remove-from-group", "extra_forbidden"),
    (groups.MoveGroup, {}, "/to-parent-group-id", "missing"),
]


def test_json_text_is_judged_like_parsed_json() -> None:
    body = groups.AddUsers.model_validate_json(f'{{"user-ids": ["{ANN}", "{ANN}"]}}')
    assert body.user_ids == (uuid.UUID(ANN),)
