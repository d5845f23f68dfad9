"""Query strings through FastAPI: names, limits and what is refused (rulings D2, D5, D6)."""

from collections.abc import Callable
from typing import Annotated, Any

import pytest
from fastapi import FastAPI, Query
from fastapi.testclient import TestClient

from api.documents.access.authorization import AccessorsQuery, IndividualsQuery
from api.documents.groups.groups import GroupListQuery
from api.documents.groups.logs import GroupLogQuery
from api.documents.organizations.organizations import OrganizationListQuery
from api.documents.organizations.user_organizations import UserOrganizationListQuery
from api.documents.parameters import NoParameters, Parameters
from api.documents.people.users import UserListQuery
from tests.api.documents.violations import ANN, BOB

app = FastAPI()


QUERIES: dict[str, type[Parameters]] = {
    "/groups": GroupListQuery,
    "/organizations": OrganizationListQuery,
    "/users": UserListQuery,
    "/logs": GroupLogQuery,
    "/memberships": UserOrganizationListQuery,
    "/individuals": IndividualsQuery,
    "/accessors": AccessorsQuery,
    "/nothing": NoParameters,
}


def answering(model: type[Parameters]) -> Callable[..., Any]:
    async def given(query: Any) -> dict[str, Any]:
        members: dict[str, Any] = query.given()
        return members

    given.__annotations__["query"] = Annotated[model, Query()]
    return given


for path, query_model in QUERIES.items():
    app.add_api_route(path, answering(query_model))


client = TestClient(app)
WHO = f"operation=read&user-id={ANN}"


@pytest.mark.parametrize(
    ("address", "parameter"),
    [
        ("/groups?page[limit]=0", "page[limit]"),
        ("/groups?page[limit]=1001", "page[limit]"),
        ("/groups?page[limit]=1.0", "page[limit]"),
        ("/groups?page[limit]=%2B5", "page[limit]"),
        ("/groups?page[limit]=", "page[limit]"),
        ("/groups?page[offset]=-1", "page[offset]"),
        ("/groups?page[offset]=2147483648", "page[offset]"),
        (f"/groups?page[offset]={'9' * 5000}", "page[offset]"),
        ("/groups?page_limit=5", "page_limit"),
        ("/groups?filter[include-inactive]=1", "filter[include-inactive]"),
        ("/groups?filter[include-inactive]=True", "filter[include-inactive]"),
        ("/groups?type=everything", "type"),
        ("/groups?type=regular,provider_only", "type"),
        ("/groups?ids=7", "ids"),
        ("/groups?" + "&".join([f"ids={ANN}"] * 1001), "ids"),
        ("/groups?filter[tags]=" + "a" * 128, "filter[tags]"),
        ("/groups?filter[text]=%00", "filter[text]"),
        ("/groups?name=" + "a" * 256, "name"),
        ("/groups?filter[cmp-last-modified-time]=2026-01-01T00:00:00Z", "filter[cmp-last-modified-time]"),
        ("/groups?filter[cmp-last-modified-time]=%3E2026-01-01", "filter[cmp-last-modified-time]"),
        ("/groups?filter[cmp-last-modified-time]=%3E2026-01-01T00:00:00+02:00", "filter[cmp-last-modified-time]"),
        ("/groups?filter[cmp-last-modified-time]=%3D2026-01-01T00:00:00Z", "filter[cmp-last-modified-time]"),
        (
            f"/groups?filter[cmp-last-modified-time]=%3E2026-01-01T00:00:00.{'0' * 20}Z",
            "filter[cmp-last-modified-time]",
        ),
        (
            "/groups?" + "&".join(["filter[cmp-last-modified-time]=%3E2026-01-01T00:00:00Z"] * 3),
            "filter[cmp-last-modified-time]",
        ),
        ("/organizations?filter[cmp-last-modified-time]=%3E%3D2026-01-01T00:00:00Z", "filter[cmp-last-modified-time]"),
        ("/organizations?page[limit]=0", "page[limit]"),
        ("/organizations?page[limit]=1001", "page[limit]"),
        ("/users?filter[organization-admin]=false", "filter[organization-admin]"),
        ("/users?sort-by=id&sort-by=email", "sort-by"),
        ("/users?sort-by=name", "sort-by"),
        ("/users?filter[phone-number]=+15555550100", "filter[phone-number]"),
        ("/logs", "individual-group-id"),
        ("/memberships", "user-id"),
        (f"/individuals?user-id={ANN}", "operation"),
        (f"/individuals?{WHO}&page[limit]=100001", "page[limit]"),
        (f"/individuals?{WHO}&filter[birth-date]=2026-1-1", "filter[birth-date]"),
        (f"/individuals?{WHO}&filter[account-type]=participants", "filter[account-type]"),
        ("/accessors?operation=read&resource-type=individual", "resource-id"),
        (f"/accessors?operation=read&resource-type=group&resource-id={ANN}", "resource-type"),
        ("/accessors?operation=read&resource-type=individual&" + "&".join([f"resource-id={ANN}"] * 51), "resource-id"),
        ("/nothing?page[limit]=5", "page[limit]"),
    ],
)
def test_a_bad_parameter_is_refused_by_its_name(address: str, parameter: str) -> None:
    answer = client.get(address)
    assert answer.status_code == 422
    assert {violation["loc"][1] for violation in answer.json()["detail"]} == {parameter}


@pytest.mark.parametrize(
    ("address", "given"),
    [
        ("/groups", {}),
        ("/groups?page[limit]=1&page[offset]=2147483647", {"page_limit": 1, "page_offset": 2147483647}),
        ("/groups?type=unassigned&type=regular", {"type": ["unassigned", "regular"]}),
        (
            "/groups?filter[include-inactive]=true&with-individuals=false",
            {"include_inactive": True, "with_individuals": False},
        ),
        (
            f"/groups?filter[exclude-ids]={ANN}&filter[exclude-ids]={BOB}&filter[exclude-ids]={ANN}",
            {"exclude_ids": [ANN, BOB]},
        ),
        ("/organizations?filter[name][contains]=care&filter[name]=x", {"name": "x", "name_contains": "care"}),
        (
            "/users?filter[organization-admin]=true&sort-by=-last-name",
            {"organization_admin": True, "sort_by": ["-last-name"]},
        ),
        ("/users?filter[phone-number]=%2B15555550100", {"phone_number": "+15555550100"}),
        (f"/logs?filter[individual-id]={ANN}", {"also_individual_id": ANN}),
        (f"/individuals?{WHO}&page[limit]=0", {"operation": "read", "user_id": ANN, "page_limit": 0}),
        ("/nothing", {}),
    ],
)
def test_good_parameters_are_read(address: str, given: dict[str, Any]) -> None:
    answer = client.get(address)
    assert answer.status_code == 200, answer.text
    assert answer.json() == given


def test_two_bounds_keep_their_comparators_and_moments() -> None:
    answer = client.get(
        "/groups", params={"filter[cmp-last-modified-time]": [">=2026-01-01 00:00:00", "<2026-02-01T00:00:00+01:00"]}
    )
    assert answer.json() == {"modified": [[">=", "2026-01-01T00:00:00Z"], ["<", "2026-01-31T23:00:00Z"]]}


def test_only_array_parameters_may_be_repeated() -> None:
    assert "page[limit]" in GroupListQuery.single()
    assert "name" in GroupListQuery.single()
    assert not GroupListQuery.single() & {"ids", "type", "filter[tags]", "filter[exclude-ids]"}
    assert not GroupListQuery.single() & {"filter[cmp-last-modified-time]"}
    assert NoParameters.single() == frozenset()
