"""Envelopes: which are refused as violations and which as conflicts (rulings A10 and D14)."""

from typing import Any

import pytest

from api.documents.access.roles import AddRoleUser
from api.documents.envelope import ClientIdNotAllowed, IdConflict, TypeConflict
from api.documents.groups.groups import CreateGroup, UpdateGroup
from domain.core.errors import DomainError
from tests.api.documents.violations import ANN, BOB, complaints, in_envelope

CREATION = {"name": "Ward 7", "organization-id": ANN}
GROUPS = "individual-groups"


@pytest.mark.parametrize("top", [{"meta": {}}, {"jsonapi": {"version": "1.1"}}, {"meta": {"a": 1}, "jsonapi": {}}])
def test_meta_and_jsonapi_are_tolerated(top: dict[str, Any]) -> None:
    assert complaints(CreateGroup, in_envelope(GROUPS, CREATION) | top) == []


@pytest.mark.parametrize(
    ("body", "pointer", "kind"),
    [
        ({}, "/data", "missing"),
        ({"data": None}, "/data", "model_type"),
        ({"data": []}, "/data", "model_type"),
        ({"data": {"attributes": CREATION}}, "/data/type", "missing"),
        ({"data": {"type": GROUPS}}, "/data/attributes", "missing"),
        ({"data": {"type": 1, "attributes": CREATION}}, "/data/type", "string_type"),
        (in_envelope(GROUPS, CREATION, relationships={}), "/data/relationships", "extra_forbidden"),
        (in_envelope(GROUPS, CREATION) | {"included": []}, "/included", "extra_forbidden"),
        (in_envelope(GROUPS, CREATION) | {"meta": None}, "/meta", "dict_type"),
        (in_envelope(GROUPS, CREATION | {"child-count": 1}), "/data/attributes/child-count", "extra_forbidden"),
        (in_envelope(GROUPS, CREATION | {"node_type": "group"}), "/data/attributes/node_type", "extra_forbidden"),
    ],
)
def test_a_malformed_envelope_is_a_violation_with_its_pointer(body: Any, pointer: str, kind: str) -> None:
    assert complaints(CreateGroup, body) == [(pointer, kind)]


def test_a_patch_repeats_its_id() -> None:
    assert complaints(UpdateGroup, in_envelope(GROUPS, {})) == [("/data/id", "missing")]


@pytest.mark.parametrize("model", [UpdateGroup, AddRoleUser])
@pytest.mark.parametrize("wrong", [None, 7])
def test_an_id_is_text(model: Any, wrong: Any) -> None:
    assert ("/data/id", "string_type") in complaints(model, in_envelope("roles", {"user-id": BOB}, id=wrong))


@pytest.mark.parametrize(
    ("request_body", "path_id"),
    [
        (CreateGroup.model_validate(in_envelope(GROUPS, CREATION)), None),
        (UpdateGroup.model_validate(in_envelope(GROUPS, {}, id=ANN)), ANN),
        (UpdateGroup.model_validate(in_envelope(GROUPS, {}, id=ANN.upper())), ANN),
        (AddRoleUser.model_validate(in_envelope("roles", {"user-id": BOB})), ANN),
        (AddRoleUser.model_validate(in_envelope("roles", {"user-id": BOB}, id=ANN)), ANN),
    ],
)
def test_type_and_id_of_the_resource_pass(request_body: Any, path_id: str | None) -> None:
    request_body.verify(path_id)


@pytest.mark.parametrize(
    ("request_body", "refusal", "pointer"),
    [
        (CreateGroup.model_validate(in_envelope("groups", CREATION)), TypeConflict, "/data/type"),
        (CreateGroup.model_validate(in_envelope("groups", CREATION, id=ANN)), TypeConflict, "/data/type"),
        (CreateGroup.model_validate(in_envelope(GROUPS, CREATION, id=ANN)), ClientIdNotAllowed, "/data/id"),
        (CreateGroup.model_validate(in_envelope(GROUPS, CREATION, id=7)), ClientIdNotAllowed, "/data/id"),
        (UpdateGroup.model_validate(in_envelope(GROUPS, {}, id=BOB)), IdConflict, "/data/id"),
        (UpdateGroup.model_validate(in_envelope(GROUPS, {}, id="no uuid")), IdConflict, "/data/id"),
        (AddRoleUser.model_validate(in_envelope("roles", {"user-id": BOB}, id=BOB)), IdConflict, "/data/id"),
        (AddRoleUser.model_validate(in_envelope("users", {"user-id": BOB})), TypeConflict, "/data/type"),
    ],
)
def test_another_type_or_id_is_a_conflict(request_body: Any, refusal: type[DomainError], pointer: str) -> None:
    with pytest.raises(refusal) as raised:
        request_body.verify(ANN)
    assert raised.value.pointer == pointer


def test_the_schema_announces_type_and_id() -> None:
    definitions = UpdateGroup.model_json_schema()["$defs"]
    (data,) = [schema["properties"] for schema in definitions.values() if "attributes" in schema["properties"]]
    assert data["type"]["const"] == GROUPS
    assert data["id"]["format"] == "uuid"


def test_a_patch_tells_which_attributes_were_sent() -> None:
    changes = UpdateGroup.model_validate(in_envelope(GROUPS, {"leader-ids": [], "name": " Ward 7 "}, id=ANN)).attributes
    assert changes.given() == {"name": "Ward 7", "leader_ids": ()}
