"""A refusal does not reveal whether an unreadable id exists (ruling O10)."""

from collections.abc import Iterator
from typing import Any, NamedTuple
from uuid import uuid4

import httpx2
import pytest

from api.app import create_app
from domain.core.errors import NotFound
from tests.support.world.named import Ward, a_ward
from tests.support.world.product import settings_for

pytestmark = pytest.mark.slow

FAR = "FAR-OADM"
"""An administrator of another organization, who reads none of the things below."""
UNREADABLE = {
    "anonymous access": "anonymous access of a patient",
    "group": "ward",
    "individual": "individual of PAT",
    "registration invitation": "invitation of north",
    **{kind: f"{kind} of north" for kind in ("email template", "message", "text template")},
    "organization": "north",
    "request": "request of north",
    "role": "administrators of north",
    "session": "session of PROV",
    "task": "task of LEAD",
    "TOTP configuration": "TOTP configuration of PROV",
    "user": "PROV",
}


class Case(NamedTuple):
    """A request of FAR-OADM that would do but for the id at each of `places`: "id" in the path, a name in the query,
    a pointer into the body. In the templates `<…>` stands for what the ward has under that name. `of` is what an "id"
    in the path names that is no UUID.
    """

    places: dict[str, str]
    path: str
    query: dict[str, str] = {}  # noqa: RUF012 - never changed
    body: Any = None
    method: str = "POST"
    of: str = ""


def data(kind: str, **attributes: Any) -> dict[str, Any]:
    return {"data": {"type": kind, "attributes": {name.replace("_", "-"): each for name, each in attributes.items()}}}


GROUPS = "/v1/individual-groups/"
GROUP_FILTERS = {
    "exclude[individual-id]": "individual", "filter[eligible-individual-id]": "individual",
    "filter[exclude-ids]": "group", "filter[individual-id]": "individual", "filter[leader-id]": "user",
    "filter[parent-group-id]": "group", "ids": "group", "organization-id": "organization",
}  # fmt: skip
USERS_OF_YARD = {"user-ids": ["<FAR-PROV>"], "remove-from-group": "<far ward>"}
ONBOARDING = {
    "onboard-type": "patient", "organization": "<south>", "patient-email": "new@people.test",
    "patient": "<record of south>", "individual-group-ids": ["<yard>"],
}  # fmt: skip
INVITE = "/data/attributes/"
RECORDS = {"email-templates": "email template", "general-messages": "message", "sms-templates": "text template"}
NEW: dict[str, dict[str, str]] = {
    "email template": {
        "type": "verify-email", "format": "txt", "locale": "es_US", "subject": "Hello", "template": "{{code}}",
    },
    "message": {"name": "contact", "locale": "es_US", "message": "Call us."},
    "text template": {"type": "verify", "locale": "es_US", "template": "{{code}}"},
}  # fmt: skip
CHANGES = {"email template": {"subject": "Hi"}, "message": {"message": "Write."}, "text template": {"type": "verify"}}
CASES = [
    Case({f"{INVITE}user-id": "user"}, "/v1/anonymous-accesses/",
         body=data("anonymous-accesses", user_id="<FAR-PROV>", expired_at="<tomorrow>",
                   allowed_endpoints=[{"service": "records", "path": "/"}])),
    Case({"id": "anonymous access"}, "/v1/anonymous-accesses/{id}/", method="GET"),
    Case({"id": "anonymous access"}, "/v1/anonymous-accesses/{id}/", method="PATCH",
         body={"data": {"id": "", **data("anonymous-accesses")["data"]}}),
    Case({"/user-id": "user", "/organization-id": "organization"}, "/v1/authz-get-accessible-resources/",
         body={"user-id": "<FAR-OADM>", "access-query": ["individual::read"], "organization-id": "<south>"}),
    Case({"/user-id": "user"}, "/v1/authz-resource-access/",
         body={"user-id": "<FAR-OADM>", "access-query": ["group:<ward>:read", "user:<PROV>:read"][:1]}),
    Case({"/multi-user-ids/user-ids": "user"}, "/v1/bulk-authz-resource-access/",
         body={"multi-user-ids": {"user-ids": ["<FAR-OADM>"], "access-query": ["group:<ward>:read"]}}),
    Case({"user-id": "user", "filter[exclude-owner-ids]": "organization", "filter[group-id]": "group",
          "filter[group-members-with-leader-id]": "user", "filter[organization-id]": "organization"},
         "/v1/authz-individuals/", {"user-id": "<FAR-OADM>", "operation": "read"}, method="GET"),
    Case({"resource-id": "individual", "organization-id": "organization"}, "/v1/authz-resource-accessors/",
         {"resource-type": "individual", "operation": "read", "resource-id": "<record of south>",
          "organization-id": "<south>"}, method="GET"),
    Case({"id": "user"}, "/v1/authz-user-status/{id}/", method="GET"),
    Case({"filter[individual-id]": "individual", "individual-group-id": "group", "individual-id": "individual",
          "organization-id": "organization"}, "/v1/individual-group-logs/", method="GET"),
    Case(GROUP_FILTERS, GROUPS, method="GET"),
    Case(GROUP_FILTERS, "/v2/individual-groups/", method="GET"),
    Case({f"{INVITE}organization-id": "organization", f"{INVITE}leader-ids": "user",
          f"{INVITE}individual-ids": "individual"}, GROUPS,
         body=data("individual-groups", name="New", organization_id="<south>", leader_ids=["<FAR-PROV>"],
                   individual_ids=["<record of south>"])),
    *(Case({"id": "group"}, f"{path}{{id}}/", method="GET") for path in (GROUPS, "/v2/individual-groups/")),
    Case({"id": "group"}, f"{GROUPS}{{id}}/", method="DELETE"),
    Case({"id": "group", f"{INVITE}leader-ids": "user"}, f"{GROUPS}{{id}}/", method="PATCH",
         body={"data": {"id": "<yard>", **data("individual-groups", leader_ids=["<FAR-PROV>"])["data"]}}),
    Case({"id": "group", "/individual-ids": "individual", "/remove-from-group": "group"},
         f"{GROUPS}{{id}}/add-individuals/",
         body={"individual-ids": ["<record of south>"], "remove-from-group": "<far ward>"}),
    Case({"id": "group", "/individual-ids": "individual"}, f"{GROUPS}{{id}}/remove-individuals/",
         body={"individual-ids": ["<record of south>"]}),
    *(Case({"id": "group", "/user-ids": "user", "/remove-from-group": "group"}, f"{GROUPS}{{id}}/add-{kind}/",
           body=USERS_OF_YARD) for kind in ("leaders", "members")),
    *(Case({"id": "group", "/user-ids": "user"}, f"{GROUPS}{{id}}/remove-{kind}/", body={"user-ids": ["<FAR-PROV>"]})
      for kind in ("leaders", "members")),
    Case({"id": "group", "/to-parent-group-id": "group"}, f"{GROUPS}{{id}}/move-group/",
         body={"to-parent-group-id": "<far ward>"}),
    Case({"id": "group"}, f"{GROUPS}{{id}}/eligible-members/", method="GET"),
    Case({"individual-group-id": "group"}, "/v1/individual-group-individuals/", method="GET"),
    Case({"individual-group-id": "group"}, "/v1/individual-group-leaders/", method="GET"),
    Case({"id": "individual"}, "/v1/individuals/{id}/", method="GET"),
    *(Case({"id": "individual"}, f"/v1/individuals/{{id}}/{each}/",
           body={"with": {"type": "organization", "id": "<south>"}}) for each in ("share", "unshare")),
    Case({f"{INVITE}organization": "organization", f"{INVITE}patient": "individual",
          f"{INVITE}individual-group-ids": "group", f"{INVITE}individual-group-id": "group"},
         "/v1/onboarding-requests/", body={"data": {"type": "onboarding-requests", "attributes": ONBOARDING}}),
    Case({"organization": "organization", "patient-ids": "individual"}, "/v1/onboarding-requests/",
         {"organization": "<south>"}, method="GET"),
    Case({"id": "request"}, "/v1/onboarding-requests/{id}/", method="GET"),
    Case({"id": "request"}, "/v1/onboarding-requests/{id}/", method="PATCH",
         body={"data": {"id": "", **data("onboarding-requests", email="new@people.test")["data"]}}),
    Case({"id": "request"}, "/v1/onboarding-requests/{id}/email/", body=data("onboarding-requests-email")),
    Case({"id": "organization"}, "/v1/organizations/{id}/", method="GET"),
    Case({"id": "organization"}, "/v1/organizations/{id}/", method="PATCH",
         body={"data": {"id": "<south>", **data("organizations", display_name="South")["data"]}}),
    Case({"id": "organization", f"{INVITE}user-id": "user", f"{INVITE}role-id": "role"},
         "/v1/organizations/{id}/add-user/",
         body=data("organizations", user_id="<FAR-PROV>", role_id="<administrators of south>")),
    Case({"id": "organization", f"{INVITE}user-id": "user"}, "/v1/organizations/{id}/remove-user/",
         body=data("organizations", user_id="<FAR-PROV>")),
    Case({"organization-id": "organization"}, "/v1/organization-codes/", method="GET"),
    Case({f"{INVITE}organization-id": "organization", f"{INVITE}individual-group-id": "group"},
         "/v1/organization-codes/", body=data("organization-codes", id="South-1", organization_id="<south>")),
    Case({f"{INVITE}individual-group-id": "group"}, "/v1/organization-codes/{id}/", method="PATCH", of="code",
         body={"data": {"id": "", **data("organization-codes", expires_at=None)["data"]}}),
    Case({"id": "registration invitation"}, "/v1/registration-invitations/{id}/", method="GET"),
    Case({"role-id": "role"}, "/v1/role-users/", method="GET"),
    Case({f"{INVITE}user-id": "user", f"{INVITE}role-id": "role"}, "/v1/role-users/",
         body=data("role-users", user_id="<FAR-PROV>", role_id="<administrators of south>")),
    Case({"organization-id": "organization"}, "/v1/roles/", method="GET"),
    *(Case({"id": "role", f"{INVITE}user-id": "user"}, f"/v1/roles/{{id}}/{each}/",
           body=data("roles", user_id="<FAR-PROV>")) for each in ("add-user", "remove-user")),
    Case({"organizations": "organization"}, "/v1/service-documents/", {"latest": "true"}, method="GET"),
    Case({"id": "session"}, "/v1/sessions/{id}/", method="GET"),
    Case({"id": "session"}, "/v1/sessions/{id}/", method="DELETE"),
    Case({"id": "task"}, "/v1/tasks/{id}/", method="GET"),
    Case({"organization-id": "organization", "user-id": "user"}, "/v1/user-organizations/", method="GET"),
    Case({f"{INVITE}organization-id": "organization", f"{INVITE}user-id": "user"}, "/v1/user-organizations/",
         body=data("user-organizations", organization_id="<south>", user_id="<FAR-PROV>")),
    Case({"filter[primary-individual-ids]": "individual", "organization-id": "organization",
          "shared-with-id": "organization"}, "/v1/users/", {"organization-id": "<south>"}, method="GET"),
    Case({"id": "user", "organization-id": "organization"}, "/v1/users/{id}/", method="GET"),
    *(Case({"id": "user"}, f"/v1/users/{{id}}/{each}/", body={}) for each in ("disable", "enable")),
    Case({"id": "user", f"{INVITE}default-organization-id": "organization"}, "/v1/users/{id}/", method="PATCH",
         body={"data": {"id": "", **data("users", default_organization_id="<south>")["data"]}}),
    Case({"id": "user"}, "/v1/users/{id}/change-email/", body={"email": "new@people.test"}),
    Case({"id": "user"}, "/v1/users/{id}/change-password/",
         body={"old-password": "<password>", "new-password": "another-battery-staple-7"}),
    Case({"id": "user"}, "/v1/users/{id}/delete-service-document-agreements/", body={}),
    Case({"filter[user-id]": "user"}, "/v1/mfa-totp/", method="GET"),
    Case({"id": "TOTP configuration"}, "/v1/mfa-totp/{id}/", method="DELETE"),
    Case({"id": "TOTP configuration"}, "/v1/mfa-totp/{id}/enable/",
         body={"password": "<password>", "codes": ["000000", "000001"]}),
    *(Case({"id": "TOTP configuration"}, f"/v1/mfa-totp/{{id}}/{each}/", body={"password": "<password>"})
      for each in ("disable", "recovery-codes")),
    Case({"id": "user"}, "/v1/users/{id}/confirm-phone/", body={"phone-number": "+12025550147"}),
    Case({"id": "user", "/organization-id": "organization"}, "/v1/users/{id}/switch-organization/",
         body={"organization-id": "<south>", "set-default": False}),
    *(Case({"id": kind}, f"/v1/organization-{name}/{{id}}/", method=method, body=body)
      for name, kind in RECORDS.items() for method, body in (
          ("GET", None), ("DELETE", None),
          ("PATCH", {"data": {"id": "", **data(f"organization-{name}", **CHANGES[kind])["data"]}}))),
    *(Case({f"{INVITE}organization-id": "organization"}, f"/v1/organization-{name}/",
           body=data(f"organization-{name}", organization_id="<south>", **NEW[kind]))
      for name, kind in RECORDS.items()),
    *(Case({"organization-id": "organization"}, f"/v1/organization-{name}/", {"organization-id": "<south>"},
           method="GET") for name in RECORDS),
]  # fmt: skip
OWN = {
    **{kind: f"{kind} of south" for kind in NEW},
    "group": "yard", "individual": "record of south", "organization": "south", "request": "request of south",
    "role": "administrators of south",
    "code": "code of south", "registration invitation": "invitation of south",
    "anonymous access": "anonymous access of a patient", "TOTP configuration": "my TOTP configuration",
    "session": "my session", "task": "my task", "user": "FAR-PROV",
}  # fmt: skip
READ_BY_ALL_CALLERS = {
    ("POST", "/v1/individuals/"), ("POST", "/v1/user-replications/"), ("GET", "/v1/user-replications/"),
    ("POST", "/v1/onboarding-texts/{id}/update-status/"),
    ("GET", "/v1/replicators/{id}/"), ("GET", "/v1/organization-themes/{id}/"),
    ("PATCH", "/v1/organization-themes/{id}/"), ("POST", "/v1/service-documents/"),
    ("GET", "/v1/service-documents/{id}/"), ("GET", "/service-documents/{id}/"),
    ("GET", "/v1/impersonation-requests/"), ("POST", "/v1/impersonation-requests/"),
    ("GET", "/v1/impersonation-requests/{id}/"), ("POST", "/v1/impersonation-requests/{id}/impersonate/"),
    ("POST", "/v1/synthetic-user-tokens/"),
}  # fmt: skip
"""Operations of those only who read everything that the ids may name."""
TOLD = {
    ("POST", "/v1/anonymous-accesses/{id}/proxy/", "id"),
    ("POST", "/v1/individuals/{id}/share/", "/with/id"),
    ("POST", "/v1/individuals/{id}/unshare/", "/with/id"),
    ("POST", "/v1/login/", "/service-document-agreements"),
    ("POST", "/v1/sign-up/", "/service-document-agreements"),
    ("PATCH", "/v1/organizations/{id}/", f"{INVITE}theme-id"),
    ("GET", "/v1/organization-email-templates/", "theme-id"),
    ("GET", "/v1/organization-sms-templates/", "theme-id"),
    ("POST", "/v1/organization-email-templates/", f"{INVITE}theme-id"),
    ("POST", "/v1/organization-sms-templates/", f"{INVITE}theme-id"),
}
"""An owner shares with whomever they name, unread (ruling I5); documents are readable for every caller,
and themes for all who may set them. Whoever has the id of an anonymous access may use it.
"""


def test_every_operation_with_ids_is_looked_at() -> None:
    document = create_app(settings_for("postgresql://nowhere")).openapi()
    looked_at = {(case.method, case.path, place) for case in CASES for place in case.places}
    there = {
        (method.upper(), path, place)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        for place in places_of(operation, document["components"]["schemas"])
        if place != "/data/id" and (method.upper(), path) not in READ_BY_ALL_CALLERS
    }
    assert there - TOLD == looked_at


def places_of(operation: dict[str, Any], schemas: dict[str, Any]) -> Iterator[str]:
    for parameter in operation.get("parameters", ()):
        if list(ids_in(parameter["schema"], schemas, "")):
            yield parameter["name"]
    for content in operation.get("requestBody", {}).get("content", {}).values():
        yield from ids_in(content["schema"], schemas, "")


def ids_in(schema: dict[str, Any], schemas: dict[str, Any], at: str) -> Iterator[str]:
    """Where the schema has ids."""
    if "$ref" in schema:
        yield from ids_in(schemas[schema["$ref"].rpartition("/")[2]], schemas, at)
    if schema.get("format") == "uuid":
        yield at
    alternatives = [each for name in ("anyOf", "oneOf", "allOf") for each in schema.get(name, ())]
    for each in [*alternatives, *([schema["items"]] if "items" in schema else [])]:
        yield from ids_in(each, schemas, at)
    for name, each in schema.get("properties", {}).items():
        yield from ids_in(each, schemas, f"{at}/{name}")


def test_a_not_found_answer_reveals_nothing_else() -> None:
    kinds, told = [NotFound], set()
    while kinds:
        kind = kinds.pop()
        kinds += kind.__subclasses__()
        if not kind.__module__.startswith("tests."):
            told.add((kind.code, kind.detail))
    assert told == {(NotFound.code, NotFound.detail)}


async def test_unknown_and_unreadable_ids_are_answered_with_the_same_bytes(database_url: str) -> None:
    async with a_ward(database_url) as ward:
        await furnish(ward)
        different = []
        for case in CASES:
            for place, kind in case.places.items():
                unreadable = ward.things[UNREADABLE[kind]]
                existing = await answered(ward, case, place, unreadable)
                unknown = await answered(ward, case, place, str(uuid4()))
                if existing != unknown:
                    different.append((case.method, case.path, place, existing, unknown))
                assert existing[0] not in {400, 401, 422, 500}, (case, place, existing)
        assert different == []


async def furnish(ward: Ward) -> None:
    """What FAR-OADM has of their own."""
    world, far = ward.world, ward.people[FAR]
    south = ward.id("south")
    yard, far_ward = await world.group(south, "Yard"), await world.group(south, "Far ward")
    moving = await world.group(south, "Moving")
    move = await world.post(f"{GROUPS}{moving}/move-group/", {"to-parent-group-id": str(yard)}, far)
    roles = await world.get("/v1/roles/", world.system, 200, **{"organization-id": south})
    ward.things |= {
        "yard": str(yard), "far ward": str(far_ward), "record of south": str(await world.individual(south)),
        "administrators of south": roles["data"][0]["id"], "my task": move["data"]["task-id"],
        "my session": ward.session_of(far), "session of PROV": ward.session_of(ward.people["PROV"]),
    }  # fmt: skip
    for organization in ("north", "south"):
        address = f"guest.of.{organization}@people.test"
        body = data("onboarding-requests", organization=ward.things[organization], patient_email=address)
        made = await world.post("/v1/onboarding-requests/", body, world.system)
        ward.things[f"request of {organization}"] = made["data"]["id"]
    for name, admin in (("north", ward.people["OADM"]), ("south", far)):
        invited = data("registration-invitations", invited_email="new@people.test")
        made = await world.post("/v1/registration-invitations/", invited, admin)
        ward.things[f"invitation of {name}"] = made["data"]["id"]
    code = await world.post(
        "/v1/organization-codes/", data("organization-codes", id="South-2", organization_id=str(south)), world.system
    )
    ward.things["code of south"] = code["data"]["id"]
    access = await ward.filled("<new anonymous access>", far)
    ward.things["anonymous access of a patient"] = access
    for name, person in (("my TOTP configuration", far), ("TOTP configuration of PROV", ward.people["PROV"])):
        ward.things[name] = (await world.post("/v1/mfa-totp/", {}, person))["data"]["id"]
    for name, kind in RECORDS.items():
        for organization in ("north", "south"):
            attributes = NEW[kind] | {"locale": "en_US", "organization-id": ward.things[organization]}
            body = {"data": {"type": f"organization-{name}", "attributes": attributes}}
            made = await world.post(f"/v1/organization-{name}/", body, world.system)
            ward.things[f"{kind} of {organization}"] = made["data"]["id"]
    await world.catch_up()


async def answered(ward: Ward, case: Case, place: str, value: str) -> tuple[int, str]:
    """Status and body of the request with this id at this place, and elsewhere what is the caller's own."""
    far = ward.people[FAR]
    kind = case.places.get("id", case.of)
    own = ward.things[OWN[kind]] if kind else ""
    body, query = await ward.filled(case.body, far), await ward.filled(case.query, far)
    path = case.path.replace("{id}", value if place == "id" else own)
    if place.startswith("/"):
        put(body, place.split("/")[1:], value)
    elif place != "id":
        query[place] = value
    if isinstance(body, dict) and "id" in body.get("data", {}):
        body["data"]["id"] = value if place == "id" else own
    request: dict[str, Any] = {} if body is None else {"json": body}
    answer: httpx2.Response = await ward.world.client.request(
        case.method, path, params=query, headers=far.bearer, **request
    )
    return answer.status_code, answer.text.replace(value, "<the id>")


def put(body: Any, at: list[str], value: str) -> None:
    *way, last = at
    for name in way:
        body = body[name]
    if last == "individual-group-id":
        body.pop("individual-group-ids", None)
    body[last] = [value] if last.endswith("-ids") else value


@pytest.mark.parametrize("name", ["north", "nowhere"])
async def test_a_foreign_role_is_as_unknown_as_none(database_url: str, name: str) -> None:
    async with a_ward(database_url) as ward:
        role_id = ward.things["administrators of north"] if name == "north" else str(uuid4())
        answer = await ward.world.client.get(
            "/v1/role-users/", params={"role-id": role_id}, headers=ward.people[FAR].bearer
        )
        assert answer.status_code == 404
        assert answer.json()["errors"][0]["detail"] == NotFound.detail
