"""Answers have the contract's names and forms, every attribute always there (ruling D18)."""

import json
import uuid
from datetime import UTC, date, datetime
from typing import Any

from api.documents.common import Error, Errors, ErrorSource, Meta, SingleMeta
from api.documents.groups.groups import GroupV2Attributes, GroupV2Document, GroupV2List, GroupV2Resource, ParentGroup
from api.documents.people.people import IndividualSummary, Owner
from api.documents.people.users import UserAttributes
from tests.api.documents.violations import ANN, BOB


def a_group() -> GroupV2Resource:
    attributes = GroupV2Attributes.model_construct(
        child_count=0,
        individuals_count=2,
        is_active=True,
        last_modified_time=datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC),
        name="Ward 7",
        node_type="group",
        organization_id=uuid.UUID(BOB),
        parent_group=ParentGroup.model_construct(id=uuid.UUID(BOB), name="West"),
        tags=["a"],
        type="regular",
    )
    return GroupV2Resource.model_construct(attributes=attributes, id=uuid.UUID(ANN))


def dumped(document: Any) -> Any:
    return json.loads(document.model_dump_json())


def test_a_document_has_the_names_and_forms_of_the_contract() -> None:
    assert dumped(GroupV2Document(data=a_group(), meta=SingleMeta(position=7))) == {
        "data": {
            "attributes": {
                "child-count": 0,
                "individuals-count": 2,
                "is-active": True,
                "last-modified-time": "2026-01-02 03:04:05",
                "name": "Ward 7",
                "node-type": "group",
                "organization-id": BOB,
                "parent-group": {"id": BOB, "name": "West"},
                "tags": ["a"],
                "type": "regular",
            },
            "id": ANN,
            "type": "individual-groups",
        },
        "meta": {"position": 7},
    }


def test_meta_of_a_document_without_position_is_empty() -> None:
    assert dumped(GroupV2Document.model_construct(data=a_group()))["meta"] == {}


def test_meta_of_a_list_tells_the_page_and_the_position() -> None:
    meta = Meta(page_limit=100, page_offset=0, page_total=1, position=9)
    assert dumped(GroupV2List(data=[a_group()], meta=meta))["meta"] == {
        "page[limit]": 100,
        "page[offset]": 0,
        "page[total]": 1,
        "position": 9,
    }


def test_attributes_without_a_value_are_null() -> None:
    user = dumped(UserAttributes.model_construct(enabled=True, organization_ids=[], state="confirmed"))
    assert len(user) == 39
    assert {name for name, value in user.items() if value is not None} == {"enabled", "organization-ids", "state"}


def test_a_birth_date_is_a_date() -> None:
    summary = IndividualSummary.model_construct(
        birth_date=date(1980, 2, 29),
        email_verified=False,
        id=uuid.UUID(ANN),
        owner=Owner(id=uuid.UUID(BOB), type="user"),
        phone_verified=False,
        registered=True,
        registration_invite="none",
        verified=False,
    )
    assert dumped(summary)["birth-date"] == "1980-02-29"


def test_an_error_names_parameter_or_pointer_and_its_status_is_a_number() -> None:
    error = Error(code="invalid-parameter", detail="no", source=ErrorSource(parameter="ids"), status=400)
    assert dumped(Errors(errors=[error])) == {
        "errors": [
            {"code": "invalid-parameter", "detail": "no", "meta": {}, "source": {"parameter": "ids"}, "status": 400}
        ]
    }
