"""The world of `permission_matrix.yaml`: its people by name, and what its rows ask about, made when asked for."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha512
from typing import Any
from uuid import UUID, uuid4

import pyotp

from domain.access.roles import ORGANIZATION_ADMIN, SYSTEM_ADMIN, role_id
from domain.onboarding.referral_codes import ReferralCodes
from domain.organizations.organizations import OPERATOR_ID
from domain.people.users import User
from tests.api.organizations.templates import a_theme, created
from tests.support.authenticators import Authenticator, a_recorded_authenticator
from tests.support.world.product import PASSWORD, SERVICE, Person, World, a_world

NAME = re.compile(r"<([^>]+)>")
GROUPS = "/v1/individual-groups/"
TEMPLATE = {"type": "verify", "locale": "en_US", "template": "{{code}}"}
RECORDS: dict[str, tuple[str, dict[str, str]]] = {
    "sms template": ("organization-sms-templates", TEMPLATE),
    "email template": (
        "organization-email-templates", {**TEMPLATE, "type": "verify-email", "format": "txt", "subject": "Code"},
    ),
    "general message": (
        "organization-general-messages", {"name": "contact", "locale": "en_US", "message": "Call us."},
    ),
}  # fmt: skip
"""Kinds of records of an organization, of which there is one for each key: their resource, and attributes of one."""


class Ward:
    """`people` are the principals. What is called "new …" exists for one request only."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.people: dict[str, Person] = {}
        self.things: dict[str, str] = {}
        self._made: dict[str, str] = {}
        self._authenticator = Authenticator("", pyotp.random_base32(), [])
        self._makers: dict[str, Callable[[], Awaitable[Any]]] = {
            "new provider": self._provider,
            "new disabled provider": self._disabled_provider,
            "new provider of both": self._provider_of_both,
            "new patient": self._patient,
            "new staff": self._staff,
            "new disabled patient": self._disabled_patient,
            "new inactive organization": self._inactive_organization,
            "new administrator": self._administrator,
            "new session of another user": self._session,
            "new refresh token": self._refresh_token,
            "new user with TOTP": self._user_with_totp,
            "new TOTP of another user": self._totp,
            "new group": self._group,
            "new parent": self._group,
            "new inactive group": self._inactive_group,
            "new record of north": lambda: world.individual(self.id("north")),
            "new record of PAT": lambda: world.individual(self.people["PAT"].user_id),
            "new record of PAT, shared": self._shared_record,
            "new theme": self._theme,
            "new service document": self._service_document,
            "new code": self._code,
            "new used code": self._used_code,
            "new registration invitation": self._registration_invitation,
            "new text": self._text,
            "new organization of OADM": self._organization_of_oadm,
            "new organization with records": self._organization_with_records,
            **{f"new {kind}": partial(self._record, kind) for kind in RECORDS},
            "new invitation": self._invitation,
            "address of a guest": self._guest,
            "new request": partial(self._request, "patient"),
            "new request for a provider": partial(self._request, "provider"),
            "new anonymous access": self._anonymous_access,
            "new id": self._id,
            "new name": self._name,
            "new address": self._address,
            "new number": self._number,
            "new code for PAT": self._code_for_pat,
            "new patient with the number": self._patient_with_the_number,
        }

    def id(self, name: str) -> UUID:
        return UUID(self.things[name])

    async def filled(self, template: Any, caller: Person) -> Any:
        """The template with what its names in angle brackets stand for."""
        match template:
            case dict():
                return {key: await self.filled(value, caller) for key, value in template.items()}
            case list():
                return [await self.filled(value, caller) for value in template]
            case str():
                found = {name: await self._named(name, caller) for name in NAME.findall(template)}
                return NAME.sub(lambda name: found[name[1]], template)
            case _:
                return template

    def forget(self) -> None:
        """Make new things again from now on."""
        self._made.clear()

    async def _named(self, name: str, caller: Person) -> str:
        match name:
            case "myself":
                return str(caller.user_id)
            case "my session":
                return self.session_of(caller)
            case "my organization":
                return await self._organization_of(caller)
            case "my new session":
                return self.session_of(await self.world.as_(caller.user_id)) if caller.bearer else str(uuid4())
            case "my new TOTP" | "my enabled TOTP" | "my first code" | "my second code":
                return await self._of_authenticator(name, caller)
        return await self._thing(name)

    async def _thing(self, name: str) -> str:
        """Return what has this name for all callers."""
        if name in self._makers:
            if name not in self._made:
                self._made[name] = str(await self._makers[name]())
            return self._made[name]
        return self.things[name]

    def session_of(self, person: Person) -> str:
        """Return the session of the person, or a random id without one."""
        return str(self.world.tokens.verify(person.token).session_id) if person.token else str(uuid4())

    async def _organization_of(self, person: Person) -> str:
        """Return the oldest organization of the person, or north without one."""
        user = await self.world.identity.store.find(User, person.user_id)
        return str(next(iter(user.organizations), self.id("north")) if user else self.id("north"))

    async def _anonymous_access(self) -> str:
        wish = created(
            "anonymous-accesses",
            user_id=str(await self._patient()),
            expired_at=self.things["tomorrow"],
            allowed_endpoints=[{"service": "records", "path": "/"}],
        )
        return str((await self.world.post("/v1/anonymous-accesses/", wish, self.world.service))["data"]["id"])

    async def _provider(self) -> UUID:
        return (await self.world.provider(self.id("north"))).user_id

    async def _disabled_provider(self) -> UUID:
        user_id = await self._provider()
        await self.world.post(f"/v1/users/{user_id}/disable/", {}, self.world.system)
        return user_id

    async def _provider_of_both(self) -> UUID:
        user_id = await self._provider()
        body = {"type": "organizations", "attributes": {"user-id": str(user_id)}}
        path = f"/v1/organizations/{self.things['south']}/add-user/"
        await self.world.post(path, {"data": body}, self.world.system)
        return user_id

    async def _patient(self) -> UUID:
        return (await self.world.patient(self.id("north"))).user_id

    async def _code_for_pat(self) -> str:
        """Return the code of an invitation of PAT to another organization."""
        attributes = {
            "organization": str(await self.world.organization()), "onboard-type": "patient",
            "patient-email": self.people["PAT"].email, "notifications": ["email"],
        }  # fmt: skip
        body = {"data": {"type": "onboarding-requests", "attributes": attributes}}
        request = await self.world.post("/v1/onboarding-requests/", body, self.world.system)
        message_id = UUID(request["data"]["attributes"]["last-invite"]["email"]["id"])
        return ReferralCodes(self.world.lookup, 60).code(message_id)

    async def _number(self) -> str:
        return f"+1202{uuid4().int % 10**7:07}"

    async def _patient_with_the_number(self) -> UUID:
        user_id = await self._patient()
        number = {"phone": await self._named("new number", self.world.system)}
        body = {"data": {"type": "users", "id": str(user_id), "attributes": number}}
        await self.world.patch(f"/v1/users/{user_id}/", body, self.world.service)
        return user_id

    async def _staff(self) -> UUID:
        return (await self.world.provider(OPERATOR_ID)).user_id

    async def _disabled_patient(self) -> UUID:
        user_id = await self._patient()
        await self.world.post(f"/v1/users/{user_id}/disable/", {}, self.world.system)
        return user_id

    async def _inactive_organization(self) -> UUID:
        organization_id = await self.world.organization()
        data = {"type": "organizations", "id": str(organization_id), "attributes": {"is-active": False}}
        await self.world.patch(f"/v1/organizations/{organization_id}/", {"data": data}, self.world.system)
        return organization_id

    async def _administrator(self) -> UUID:
        return (await self.world.admin(self.id("north"))).user_id

    async def _session(self) -> str:
        return self.session_of(await self.world.provider(self.id("north")))

    async def _refresh_token(self) -> str:
        body = {"username": self.people["PROV"].email, "password": PASSWORD}
        return str((await self.world.post("/v1/login/", body, Person(uuid4(), None, "", {})))["refresh-token"])

    async def _user_with_totp(self) -> UUID:
        user_id = await self._provider()
        await a_recorded_authenticator(self.world, user_id, enabled=True)
        return user_id

    async def _totp(self) -> str:
        return (await a_recorded_authenticator(self.world, await self._provider(), enabled=True)).id

    async def _of_authenticator(self, name: str, caller: Person) -> str:
        """Return the caller's only TOTP configuration, or a code of it; a random id for callers who have none."""
        if name in {"my first code", "my second code"}:
            return self._authenticator.code(-1 if name == "my first code" else 0)
        if not caller.bearer or caller is self.world.service:
            return str(uuid4())
        enabled = name == "my enabled TOTP"
        self._authenticator = await a_recorded_authenticator(self.world, caller.user_id, enabled=enabled)
        return self._authenticator.id

    async def _group(self) -> UUID:
        """Led by LEAD, with MEM as a member."""
        lead, member = str(self.people["LEAD"].user_id), str(self.people["MEM"].user_id)
        group_id = await self.world.group(self.id("north"), "New", **{"leader-ids": [lead]})
        await self.world.post(f"{GROUPS}{group_id}/add-members/", {"user-ids": [member]}, self.world.system)
        return group_id

    async def _inactive_group(self) -> UUID:
        group_id = await self._group()
        answer = await self.world.client.delete(f"{GROUPS}{group_id}/", headers=self.world.system.bearer)
        assert answer.status_code == 204
        return group_id

    async def _shared_record(self) -> UUID:
        record = await self.world.individual(self.people["PAT"].user_id)
        body = {"with": {"type": "organization", "id": self.things["north"]}}
        await self.world.post(f"/v1/individuals/{record}/share/", body, self.world.service)
        return record

    async def _theme(self) -> str:
        return await a_theme(self.world, f"{await self._name()}.example.org")

    async def _service_document(self) -> str:
        attributes = {"type": "terms", "version": await self._name(), "title": "Terms", "html": "<p>Terms</p>"}
        body = created("service-documents", **attributes)
        return str((await self.world.post("/v1/service-documents/", body, self.world.system))["data"]["id"])

    async def _request(self, onboard_type: str) -> str:
        """Return an open request of north."""
        attributes = {"organization": self.things["north"], "onboard-type": onboard_type, "notifications": []}
        body = created("onboarding-requests", **attributes, patient_email=await self._address())
        return str((await self.world.post("/v1/onboarding-requests/", body, self.world.system))["data"]["id"])

    async def _guest(self) -> str:
        """Return the address of somebody whom north invites."""
        address = await self._address()
        await self._invited(address)
        return address

    async def _invitation(self) -> str:
        """Return the message of an invitation to north."""
        return str((await self._invited(await self._address()))["last-invite"]["email"]["id"])

    async def _invited(self, address: str) -> dict[str, Any]:
        body = created("onboarding-requests", organization=self.things["north"], patient_email=address)
        answer = await self.world.post("/v1/onboarding-requests/", body, self.world.system)
        return dict(answer["data"]["attributes"])

    async def _registration_invitation(self) -> str:
        body = created("registration-invitations", invited_email=await self._address())
        made = await self.world.post("/v1/registration-invitations/", body, self.people["OADM"])
        return str(made["data"]["id"])

    async def _used_code(self) -> str:
        """Return a code with which somebody has signed up."""
        code = await self._code()
        body = {
            "first-name": "Ada", "last-name": "Byron", "organization-code": code, "password": PASSWORD,
            "username": await self._address(),
        }  # fmt: skip
        await self.world.post("/v1/sign-up/", body, self.people["ANON"])
        return code

    async def _code(self) -> str:
        body = created("organization-codes", id=await self._text(), organization_id=self.things["north"])
        return str((await self.world.post("/v1/organization-codes/", body, self.world.system))["data"]["id"])

    async def _organization_of_oadm(self) -> UUID:
        """Return a new organization with OADM and one more administrator."""
        organization_id = await self.world.organization()
        await self.world.admin(organization_id)
        attributes = {
            "user-id": str(self.people["OADM"].user_id),
            "role-id": str(role_id(organization_id, ORGANIZATION_ADMIN)),
        }
        path = f"/v1/organizations/{organization_id}/add-user/"
        body = {"data": {"type": "organizations", "attributes": attributes}}
        await self.world.post(path, body, self.world.system)
        return organization_id

    async def _organization_with_records(self) -> UUID:
        """One of OADM's, with a record of each kind."""
        organization_id = await self._organization_of_oadm()
        for kind in RECORDS:
            await self._record_in(organization_id, kind)
        return organization_id

    async def _record(self, kind: str) -> str:
        return await self._record_in(await self._organization_of_oadm(), kind)

    async def _record_in(self, organization_id: UUID, kind: str) -> str:
        resource, attributes = RECORDS[kind]
        given = created(resource, organization_id=str(organization_id), **attributes)
        return str((await self.world.post(f"/v1/{resource}/", given, self.world.system))["data"]["id"])

    async def _id(self) -> UUID:
        return uuid4()

    async def _name(self) -> str:
        return f"name-{uuid4().hex[:12]}"

    async def _text(self) -> str:
        return f"Code-{uuid4().hex[:12]}"

    async def _address(self) -> str:
        return f"{uuid4().hex[:12]}@people.test"


@asynccontextmanager
async def a_ward(database_url: str, **settings: Any) -> AsyncIterator[Ward]:
    """Two restricted organizations; PAT's individual is in the ward, which LEAD leads and MEM is a member of."""
    async with a_world(database_url, **settings) as world:
        ward = Ward(world)
        north, south = await world.organization("north"), await world.organization("south")
        await _introduce(ward, north, south)
        people = ward.people
        lead, patient = str(people["LEAD"].user_id), str(people["PAT"].individual_id)
        group = await world.group(north, "Ward", **{"leader-ids": [lead], "individual-ids": [patient]})
        await world.post(f"{GROUPS}{group}/add-members/", {"user-ids": [str(people["MEM"].user_id)]}, world.system)
        elsewhere = await world.group(north, "Elsewhere")
        below = await world.group(north, "Below", **{"leader-ids": [lead]})
        move = await world.post(f"{GROUPS}{below}/move-group/", {"to-parent-group-id": str(group)}, people["LEAD"])
        await world.catch_up()
        copied = {
            "type": "user-replications",
            "attributes": {"service": "caredb", "user-id": str(people["PROV"].user_id)},
        }
        await world.post("/v1/user-replications/", {"data": copied}, world.service)
        wish = created("impersonation-requests", user_id=str(people["PROV"].user_id))
        impersonation = await world.post("/v1/impersonation-requests/", wish, people["EMP"])
        system = await world.get(GROUPS, world.system, 200, **{"organization-id": north, "type": "all_participants"})
        replicators = await world.get("/v1/replicators/", world.system)
        things: dict[str, Any] = {
            "north": north, "south": south, "administrators of north": role_id(north, ORGANIZATION_ADMIN),
            "operator": OPERATOR_ID, "system administrators": role_id(OPERATOR_ID, SYSTEM_ADMIN),
            "individual of PROV": people["PROV"].individual_id,
            "ward": group, "elsewhere": elsewhere, "below": below, "record of north": await world.individual(north),
            "all participants": system["data"][0]["id"],
            "task of LEAD": move["data"]["task-id"], "individual of PAT": patient,
            "replicator": replicators["data"][0]["id"], "password": PASSWORD, "service token": SERVICE[2],
            "hash of the service token": sha512(SERVICE[2].encode()).hexdigest(),
            "address of PROV": people["PROV"].email,
            "tomorrow": (datetime.now(UTC) + timedelta(days=1)).isoformat(),
            "impersonation request of EMP": impersonation["data"]["id"],
        }  # fmt: skip
        things |= {name: person.user_id for name, person in people.items()}
        ward.things = {name: str(thing) for name, thing in things.items()}
        yield ward


async def _introduce(ward: Ward, north: UUID, south: UUID) -> None:
    world, people = ward.world, ward.people
    for name in ("PROV", "MEM", "LEAD", "GONE"):
        people[name] = await world.provider(north, f"{name.lower()}@people.test")
    people["OADM"], people["FAR-OADM"] = await world.admin(north), await world.admin(south)
    people["FAR-PROV"], people["EMP"] = await world.provider(south), await world.provider(OPERATOR_ID)
    people["PAT"] = await world.patient(north)
    people["SYS"], people["SVC"] = world.system, world.service
    people["ANON"] = Person(uuid4(), None, "", {})
    await world.post(f"/v1/users/{people['GONE'].user_id}/disable/", {}, world.system)
