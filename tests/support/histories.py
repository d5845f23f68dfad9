"""A random but possible history of everything the log can tell, for comparing what is built from it."""

from collections import deque
from collections.abc import Callable, Iterable
from datetime import timedelta
from random import Random
from typing import Any, Protocol, TypeVar
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

from domain.access.roles import LastAdmin, Role
from domain.core.audited import Audited
from domain.core.messages import Channel
from domain.core.personal import revealed
from domain.core.recorded import Recorded
from domain.core.records import Record
from domain.groups.groups import Group
from domain.groups.rosters import RosterEntry, RosterKind
from domain.groups.trees import GroupCycle, GroupTree, MoveInProgress, TooDeep
from domain.onboarding.invitations import Contacts, Invitation
from domain.onboarding.invites import InviteStatus
from domain.onboarding.requests import OnboardingRequest
from domain.onboarding.service_documents import ServiceDocument, ServiceDocumentFields
from domain.organizations.email_templates import EmailTemplate, EmailTemplateFields
from domain.organizations.general_messages import GeneralMessage, GeneralMessageFields
from domain.organizations.organizations import Organization, system_groups
from domain.organizations.sms_templates import SmsTemplate, SmsTemplateFields
from domain.organizations.themes import Theme, ThemeFields
from domain.people.individuals import Individual
from domain.people.login_names import parse_login_name
from domain.people.user_replications import UserReplication
from domain.people.users import User
from domain.sessions.sessions import Session, SessionRevocation

T = TypeVar("T")

KINDS: list[RosterKind] = ["individual", "leader", "member"]
CHANNELS: list[Channel] = ["email", "sms"]
REPORTS: list[InviteStatus] = ["sent", "delivered", "responded", "failed"]
STEPS = (
    "found", "describe", "settle", "onboard", "register", "take_over", "release", "claim", "disable", "enable",
    "prefer", "settle_in", "mark", "leave", "join", "grant", "revoke", "record", "share", "unshare", "unshare_user",
    "change_owner", "make_group", "rename", "tag", "entry", "unseat", "move", "deactivate", "sign_in", "sign_out",
    "replicate", "theme", "message", "sms_template", "email_template", "document", "invite", "respond", "readdress",
    "sign_up",
)  # fmt: skip
BEGINNING = ("found", "onboard", "record", "make_group")
FILLING = (
    "leave", "found", "onboard", "record", "share", "make_group", "entry", "entry", "entry", "grant", "move",
    "register", "invite", "replicate", "sign_in", "sign_out", "theme", "message", "sms_template", "email_template",
    "document",
) * 4  # fmt: skip
"""Of everything that adds something: afterwards no table is empty."""
FEW = range(3)
"""Of names and addresses there are few, so that what was given up is taken again, by another owner too."""


class Saving(Protocol):
    """What a history asks of a store."""

    async def save(self, *aggregates: Audited) -> int: ...


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


class History:
    """Keeps the aggregates it made; each step is one append. `rounds` is how often it begins with one of each kind."""

    def __init__(
        self, store: Saving, session_store: Saving, *, randomness: Random | None = None, rounds: int = 3
    ) -> None:
        self._store = store
        self._sessions_store = session_store
        self._random = randomness or Random(1)
        self._organizations: list[Organization] = []
        self._roles: dict[UUID, Role] = {}
        self._trees: dict[UUID, GroupTree] = {}
        self._users: list[User] = []
        self._individuals: list[Individual] = []
        self._groups: list[Group] = []
        self._entries: dict[UUID, RosterEntry] = {}
        self._sessions: list[Session] = []
        self._requests: list[OnboardingRequest] = []
        self._records: dict[type[Record[Any]], list[Record[Any]]] = {}
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

    async def _onboard(self) -> None:
        organization = self._one(self._organizations)
        user_id, individual_id = uuid4(), uuid4()
        provisional = self._random.random() < 0.5
        user = User.create(
            user_id, classification="customer", individual_id=individual_id, email=self._free_email(),
            provisional_in=organization.id if provisional else None,
        )  # fmt: skip
        provider = self._random.random() < 0.6
        individual = Individual.create(individual_id, "user", user_id, provider=provider)
        user.set_password("hashed")
        user.confirm(email_verified=not provisional)
        if provider:
            user.join(organization.id)
        else:
            individual.share("organization", organization.id)
            self._individuals.append(individual)
        await self._store.save(user, individual)
        self._users.append(user)

    async def _take_over(self) -> None:
        if strangers := [each for each in self._users if each.provisional]:
            user = self._one(strangers)
            email = self._random.choice([revealed(user.names.email), self._free_email()])
            user.take_over(email=email, phone=None, username=None, password_hash="hashed", email_verified=True)
            await self._store.save(user)

    async def _release(self) -> None:
        user = self._one(self._users)
        if email := revealed(user.names.email):
            user.release_login_names([parse_login_name(email)])
            await self._store.save(user)

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
        """Another free address, and perhaps another user."""
        if still_open := [each for each in self._requests if not each.done]:
            request = self._one(still_open)
            organization_id, email = request.organization_id, f"guest-{self._random.choice(FEW)}@example.org"
            taken = (each.names.revealed[0] for each in still_open if each.organization_id == organization_id)
            if email not in taken:
                user_id = self._random.choice([request.user_id, uuid4()])
                request.readdress(email, user_id, new_user=user_id != request.user_id)
                await self._store.save(request)

    async def _sign_up(self) -> None:
        if self._requests:
            request = self._one(self._requests)
            request.register()
            await self._store.save(request)

    async def _disable(self) -> None:
        user = self._one(self._users)
        user.disable()
        await self._store.save(user)

    async def _enable(self) -> None:
        user = self._one(self._users)
        user.enable()
        await self._store.save(user)

    async def _prefer(self) -> None:
        preferences = f'{{"email": {{"chosen": {self._random.randrange(3)}}}}}'
        user = self._one(self._users)
        user.set_communication_preferences(preferences)
        await self._store.save(user)

    async def _settle_in(self) -> None:
        user = self._one(self._users)
        user.trigger_event(User.DefaultOrganizationChanged, organization_id=next(iter(user.organizations), None))
        await self._store.save(user)

    async def _mark(self) -> None:
        individual = self._one(self._individuals)
        if not individual.shared:
            individual.mark_provider(provider=not individual.provider)
            await self._store.save(individual)

    async def _join(self) -> None:
        user = self._one(self._users)
        user.join(self._one([*user.organizations, *user.former_organizations] or [self._organizations[0].id]))
        await self._store.save(user)

    async def _leave(self) -> None:
        user = self._one(self._users)
        if user.organizations:
            organization_id = self._one(list(user.organizations))
            user.leave(organization_id)
            await self._store.save(user, *self._standing_up(user.id, organization_id))

    async def _grant(self) -> None:
        if providers := [each for each in self._users if each.organizations]:
            user = self._one(providers)
            role = self._roles[self._one(list(user.organizations))]
            role.grant(user.id, live=user.live)
            await self._store.save(role)

    async def _revoke(self) -> None:
        role = self._one(list(self._roles.values()))
        if role.holders:
            try:
                role.revoke(self._one(list(role.holders)))
            except LastAdmin:
                return
            await self._store.save(role)

    async def _record(self) -> None:
        organization = self._one(self._organizations)
        individual = Individual.create(uuid4(), "organization", organization.id)
        await self._store.save(individual)
        self._individuals.append(individual)

    async def _share(self) -> None:
        individual = self._one(self._individuals)
        if individual.provider:
            return
        if self._random.random() < 0.5:
            individual.share("organization", self._one(self._organizations).id)
        else:
            individual.share("user", self._one(self._users).id, self._random.choice(["read", "write"]))
        await self._store.save(individual)

    async def _unshare(self) -> None:
        individual = self._one(self._individuals)
        gone = []
        for organization_id in list(individual.organizations):
            individual.unshare("organization", organization_id)
            if not individual.belongs_to(organization_id):
                gone += self._standing_up(individual.id, organization_id)
        await self._store.save(individual, *gone)

    async def _unshare_user(self) -> None:
        individual = self._one(self._individuals)
        for user_id in list(individual.users):
            individual.unshare("user", user_id)
        await self._store.save(individual)

    async def _change_owner(self) -> None:
        individual, organization = self._one(self._individuals), self._one(self._organizations)
        before = individual.owner_id
        individual.change_owner("organization", organization.id)
        gone = [] if individual.belongs_to(before) else self._standing_up(individual.id, before)
        await self._store.save(individual, *gone)

    async def _make_group(self) -> None:
        group = Group.create(uuid4(), self._one(self._organizations).id, f"Group {len(self._groups)}", tags=["new"])
        await self._store.save(group)
        self._groups.append(group)

    async def _rename(self) -> None:
        group = self._one(self._groups)
        group.rename(f"Renamed {self._random.random()}")
        await self._store.save(group)

    async def _tag(self) -> None:
        group = self._one(self._groups)
        group.change_tags([f"tag-{self._random.randrange(9)}"])
        await self._store.save(group)

    async def _entry(self) -> None:
        group = self._one(self._groups)
        kind = self._one(KINDS)
        if kind == "individual":
            fitting = [each.id for each in self._individuals if each.belongs_to(group.organization_id)]
        else:
            fitting = [each.id for each in self._users if group.organization_id in each.organizations]
        if not fitting or not group.active:
            return
        entry = RosterEntry.add(group.id, group.organization_id, kind, self._one(fitting))
        if known := self._entries.get(entry.id):
            entry = known
            entry.add_again()
        self._entries[entry.id] = entry
        await self._store.save(entry)

    async def _unseat(self) -> None:
        if self._entries:
            entry = self._one(list(self._entries.values()))
            entry.remove()
            await self._store.save(entry)

    async def _move(self) -> None:
        group = self._one(self._groups)
        parent = self._one([each for each in self._groups if each.organization_id == group.organization_id])
        if not (group.active and parent.active):
            return
        tree = self._trees[group.organization_id]
        try:
            tree.request_move(uuid4(), group.id, self._random.choice([parent.id, parent.id, None]), 0)
            if group.id in tree.moves and self._random.random() < 0.9:
                tree.finish_move(group.id)
        except (GroupCycle, TooDeep, MoveInProgress):
            return
        await self._store.save(tree)

    async def _deactivate(self) -> None:
        group = self._one(self._groups)
        tree = self._trees[group.organization_id]
        if not tree.children(group.id) and len(self._groups) > 5:
            tree.remove_node(group.id)
            group.deactivate()
            await self._store.save(group, tree)
            self._groups.remove(group)

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

    async def _replicate(self) -> None:
        await self._store.save(UserReplication.create(self._one(self._users).id, f"service-{uuid4().hex}"))

    async def _theme(self) -> None:
        domains = [f"{number}.example.org" for number in FEW]
        await self._write(Theme, "domain", domains, lambda domain: ThemeFields(domain, "help@example.org"))

    async def _message(self) -> None:
        organization_id, locales = self._organizations[0].id, ["en_US", "es_US"]
        await self._write(
            GeneralMessage,
            "locale",
            locales,
            lambda locale: GeneralMessageFields(organization_id, "contact", locale, "x"),
        )

    async def _sms_template(self) -> None:
        theme_id, locales = uuid5(NAMESPACE_URL, "theme"), ["en_US", "es_US"]
        await self._write(
            SmsTemplate,
            "locale",
            locales,
            lambda locale: SmsTemplateFields(None, theme_id, "verify", locale, "{{code}}"),
        )

    async def _email_template(self) -> None:
        organization_id, formats = self._organizations[0].id, ["html", "txt"]
        await self._write(
            EmailTemplate, "format", formats,
            lambda kind: EmailTemplateFields(organization_id, None, "verify-email", "en_US", kind, "s", "{{code}}"),
        )  # fmt: skip

    async def _document(self) -> None:
        organization_id = self._one([None, *(each.id for each in self._organizations)])
        texts = {"en_US": "text"}
        await self._store.save(
            ServiceDocument.create(ServiceDocumentFields("terms", uuid4().hex, "en_US", organization_id, texts, texts))
        )

    async def _write(self, kind: type[Record[Any]], unique: str, values: list[str], make: Callable[[str], Any]) -> None:
        """Create, change or delete a record, one of the values of its unique field being free."""
        live = self._records.setdefault(kind, [])
        free = [each for each in values if each not in {getattr(record.fields, unique) for record in live}]
        if live and (not free or self._random.random() < 0.5):
            record = self._one(live)
            if free and self._random.random() < 0.5:
                record.change({unique: self._random.choice(free)})
            elif kind is Theme or len(live) == 1:  # one stays, so that no table is empty afterwards
                record.change({"is_active": not record.fields.is_active} if kind is Theme else {})
            else:
                record.delete()
                live.remove(record)
        else:
            record = kind.create(make(self._random.choice(free)))
            live.append(record)
        await self._store.save(record)

    def _standing_up(self, subject_id: UUID, organization_id: UUID) -> list[RosterEntry]:
        taken = [
            entry
            for entry in self._entries.values()
            if (entry.subject_id, entry.organization_id, entry.present) == (subject_id, organization_id, True)
        ]
        for entry in taken:
            entry.remove()
        return taken

    def _free_name(self) -> str:
        taken = {each.details.name for each in self._organizations}
        free = [name for name in (f"org-{number}" for number in FEW) if name not in taken]
        return self._random.choice(free) if free else f"org-{uuid4()}"

    def _free_email(self) -> str:
        taken = {revealed(each.names.email) for each in self._users}
        free = [email for email in (f"person-{number}@example.org" for number in FEW) if email not in taken]
        return self._random.choice(free) if free else f"{uuid4()}@example.org"

    def _one(self, things: list[T]) -> T:
        return self._random.choice(things)
