"""A random but possible history of everything the log can tell, for comparing what is built from it."""

from collections import deque
from collections.abc import Iterable
from datetime import timedelta
from random import Random
from uuid import uuid4

from domain.access.roles import Role
from domain.core.audited import Audited
from domain.core.messages import Channel
from domain.core.recorded import Recorded
from domain.groups.trees import GroupTree
from domain.onboarding.invitations import Contacts, Invitation
from domain.onboarding.invites import InviteStatus
from domain.onboarding.requests import OnboardingRequest
from domain.organizations.organizations import Organization, system_groups
from domain.people.user_replications import UserReplication
from domain.sessions.impersonation_requests import ImpersonationRequest
from domain.sessions.sessions import Session, SessionRevocation
from tests.support.history_steps.groups import GroupSteps
from tests.support.history_steps.made import FEW, Saving
from tests.support.history_steps.people import PeopleSteps
from tests.support.history_steps.records import RecordSteps
from tests.support.history_steps.totp import TotpSteps

CHANNELS: list[Channel] = ["email", "sms"]
REPORTS: list[InviteStatus] = ["sent", "delivered", "responded", "failed"]
STEPS = (
    "found", "describe", "settle", "onboard", "register", "take_over", "release", "claim", "disable", "enable",
    "prefer", "settle_in", "mark", "leave", "join", "grant", "revoke", "record", "share", "unshare", "unshare_user",
    "change_owner", "make_group", "rename", "tag", "entry", "unseat", "move", "deactivate", "sign_in", "sign_out",
    "replicate", "change_account", "change_account", "archive", "theme", "message", "sms_template", "email_template",
    "document", "agree", "invite", "respond", "readdress", "sign_up", "totp", "use_totp", "code",
    "expect", "arrive", "ask_to_impersonate", "impersonate",
    "register_oneself",
)  # fmt: skip
BEGINNING = ("found", "onboard", "record", "make_group")
FILLING = (
    "leave", "found", "onboard", "record", "share", "make_group", "entry", "entry", "entry",
    "entry", "entry", "entry", "grant", "move",
    "register", "invite", "replicate", "sign_in", "sign_out", "theme", "message", "sms_template", "email_template",
    "document", "agree", "ask_to_impersonate", "totp", "use_totp", "code", "expect",
    "register_oneself",
) * 4  # fmt: skip
"""Of everything that adds something: afterwards no table is empty."""


class Appends:
    """A store that keeps what is saved, append by append, with its positions."""

    def __init__(self) -> None:
        self.made: list[list[Recorded]] = []
        self._position = 0

    async def save(self, *aggregates: Audited) -> int:
        events = [event for aggregate in aggregates for event in aggregate.collect_events()]
        if events:
            self.made.append([Recorded(position, event) for position, event in enumerate(events, self._position + 1)])
            self._position += len(events)
        return self._position


class History(PeopleSteps, GroupSteps, RecordSteps, TotpSteps):
    """Takes steps, each of which is one append. `rounds` is how often it begins with one of each kind."""

    def __init__(
        self, store: Saving, session_store: Saving, *, randomness: Random | None = None, rounds: int = 3
    ) -> None:
        super().__init__(store, session_store, randomness or Random(1))
        self._steps: deque[str] = deque(BEGINNING * rounds)

    async def go_on(self, steps: int) -> None:
        """As many further steps; one that is not possible at the moment is none."""
        await self.take(self._steps.popleft() if self._steps else self._random.choice(STEPS) for _ in range(steps))

    async def take(self, steps: Iterable[str]) -> None:
        """These steps."""
        for step in steps:
            await getattr(self, f"_{step}")()

    async def _found(self) -> None:
        organization = Organization.create(
            uuid4(), self._free_name(), display_name="An organization", classification="customer",
            provider_type="coach", timezone="UTC",
        )  # fmt: skip
        role = Role.create(organization.id, "org.admin", "Organization administrator")
        tree = GroupTree.create(organization.id)
        await self._store.save(organization, role, tree, *system_groups(organization.id))
        self._organizations.append(organization)
        self._roles[organization.id] = role
        self._trees[organization.id] = tree

    async def _describe(self) -> None:
        organization = self._one(self._organizations)
        name = self._random.choice([organization.details.name, self._free_name()])
        organization.change({"name": name, "display_name": f"Organization {self._random.random()}"})
        await self._store.save(organization)

    async def _settle(self) -> None:
        organization = self._one(self._organizations)
        kind = self._random.choice(["open", "restricted"])
        organization.change({"is_active": self._random.random() < 0.5, "authorization_type": kind})
        await self._store.save(organization)

    async def _register(self) -> None:
        """A request that stays open, or is claimed at once."""
        user_id, organization_id = uuid4(), self._one(self._organizations).id
        invitation = Invitation(organization_id, "patient", Contacts(f"guest-{self._random.choice(FEW)}@example.org"))
        request = OnboardingRequest.open(uuid4(), invitation, user_id, new_user=True, created_by=None)
        still_open = (each for each in self._requests if each.organization_id == organization_id and not each.done)
        if request.names.revealed in (each.names.revealed for each in still_open):
            return
        if self._random.random() < 0.3:
            request.claim(user_id, uuid4())
        await self._store.save(request)
        self._requests.append(request)

    async def _claim(self) -> None:
        if self._requests:
            request = self._one(self._requests)
            request.claim(request.user_id, uuid4())
            await self._store.save(request)

    async def _invite(self) -> None:
        """One more invitation, and often an earlier one is sent or fails, or that one at once."""
        if not self._requests:
            await self._register()
        request = self._one(self._requests)
        request.invite(uuid4(), self._random.choice(CHANNELS), uuid4().hex, timedelta(days=1))
        message_id = self._random.choice(list(request.invites))
        if self._random.random() < 0.4:
            request.record_failed(message_id, "smtp-554")
        if self._random.random() < 0.4:
            request.record_sent(message_id)
        await self._store.save(request)

    async def _respond(self) -> None:
        """A report of a delivery service, or the code is used."""
        if with_invites := [each for each in self._requests if each.invites]:
            request = self._one(with_invites)
            message_id = self._one(list(request.invites))
            request.record_report(message_id, self._random.choice(REPORTS), "no such number")
            await self._store.save(request)

    async def _readdress(self) -> None:
        """Another free address, and another user for that or another reason."""
        if still_open := [each for each in self._requests if not each.done]:
            request = self._one(still_open)
            organization_id, email = request.organization_id, f"guest-{self._random.choice(FEW)}@example.org"
            taken = (each.names.revealed[0] for each in still_open if each.organization_id == organization_id)
            if email not in taken:
                user_id = self._random.choice([request.user_id, uuid4()])
                same = user_id == request.user_id
                request.readdress(email, user_id, new_user=not same)
                if same:
                    request.repoint(uuid4())
                await self._store.save(request)

    async def _sign_up(self) -> None:
        if self._requests:
            request = self._one(self._requests)
            request.register()
            await self._store.save(request)

    async def _sign_in(self) -> None:
        user = self._one(self._users)
        session = Session.open(
            uuid4(),
            user,
            organization_id=user.current_organization,
            position=user.version,
            kind="password",
            seconds=3600,
            refresh_token="t",
        )
        await self._sessions_store.save(session)
        self._sessions.append(session)

    async def _sign_out(self) -> None:
        if self._sessions:
            session = self._sessions.pop()
            await self._store.save(SessionRevocation.create(session.id, session.user_id))

    async def _ask_to_impersonate(self) -> None:
        request = ImpersonationRequest.create(self._one(self._users).id, self._one(self._users).id)
        await self._store.save(request)
        self._impersonations.append(request)

    async def _impersonate(self) -> None:
        if self._impersonations:
            request = self._one(self._impersonations)
            request.use()
            await self._store.save(request)

    async def _replicate(self) -> None:
        await self._store.save(UserReplication.create(self._one(self._users).id, f"service-{uuid4().hex}"))
