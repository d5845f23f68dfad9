"""Commands on onboarding requests that exist: another address of the person, and sending the invitation again."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol
from uuid import UUID, uuid4

from domain.core.audited import Audited
from domain.core.codes import hash_of_code
from domain.core.errors import LostRace
from domain.core.messages import Channel
from domain.core.permissions import Permissions
from domain.core.ports import Store, retry_on_conflict, save_resting_on
from domain.core.principal import Principal
from domain.onboarding.admissions import Admissions, NewIds
from domain.onboarding.destinations import Destinations
from domain.onboarding.invitations import Contacts
from domain.onboarding.new_people import NewPeople
from domain.onboarding.provisional_users import NameHolders
from domain.onboarding.referral_codes import ReferralCodes
from domain.onboarding.request_permissions import OnboardingPermissions, OnboardingRequestNotFound
from domain.onboarding.requests import OnboardingRequest, OnboardingRequestOpen, RequestClaimed
from domain.organizations.organizations import Organization
from domain.people.directory import Directory
from domain.people.login_names import LoginName, LoginNames, email_key, names_of, normal_login, parse_login_name
from domain.people.users import IdentifierTaken, User
from domain.people.verification_codes import void_codes

NO_REQUEST = UUID(int=0)
"""What is read when there is no request, so that the time of the answer does not reveal that."""


class Resends(Protocol):
    """Limits how often the invitations of a request are sent again (ruling K25)."""

    async def count(self, request_id: UUID) -> None:
        """Count one more time. Raises TooMany when there were too many lately."""
        ...


class _Person(NamedTuple):
    """Whom a request is about from now on, and what is saved before the request."""

    user_id: UUID
    changed: Sequence[Audited] = ()
    rests_on: Sequence[Audited] = ()
    new: bool = False


class RequestChanges:
    """Commands on onboarding requests that exist."""

    def __init__(
        self,
        store: Store,
        directory: Directory,
        permissions: Permissions,
        resends: Resends,
        codes: ReferralCodes,
    ) -> None:
        self._store = store
        self._directory = directory
        self._resends = resends
        self._codes = codes
        self._permissions = OnboardingPermissions(store, permissions)
        self._new_people = NewPeople(store, Destinations(store, permissions), Admissions(store))

    @retry_on_conflict
    async def change_email(self, principal: Principal, request_id: UUID, email: str) -> tuple[OnboardingRequest, int]:
        """Replace the e-mail address of the person. Return the request and the position.

        A user who was made with the request gets the new address, and is as if nobody had signed up. If the request is
        about somebody known, or somebody has the new address, the request is about whoever has it now, and nobody known
        is changed (ruling K84). Codes that were sent by e-mail are void. A new invitation goes out, unless the request
        was made without notifications.

        Raises RequestClaimed, OnboardingRequestOpen, and the refusals of `OnboardingPermissions.require_changeable`.
        """
        request = await self.changeable(principal, request_id)
        former, phone, username = request.names.revealed
        if former is not None and email_key(former) == email_key(email):
            return request, await self._store.save(result=request.id)
        contacts = Contacts(email, phone, username)
        if former is not None:
            contacts = contacts.without([parse_login_name(former)])  # it may be the user name, too
        others = await self._directory.open_requests(request.organization_id, contacts.login_names)
        if set(others) - {request.id}:
            raise OnboardingRequestOpen(argument="email")
        person = await self._person(request, contacts)
        request.readdress(email, person.user_id, new_user=person.new)
        if request.notifications != []:
            invite(request, ["email"], self._codes)
        try:
            position = await save_resting_on(
                self._store, *person.changed, request, unchanged=person.rests_on, result=request.id
            )
        except (IdentifierTaken, OnboardingRequestOpen):  # somebody has the address by now: decide again
            raise LostRace from None
        return request, position

    async def resend(self, principal: Principal, request_id: UUID) -> tuple[OnboardingRequest, int]:
        """Send the invitation again, over every channel that has a contact. Return the request and the position.

        The new messages have new codes; earlier codes stay valid. Raises RequestClaimed, TooMany, and the refusals of
        `OnboardingPermissions.require_changeable`.
        """
        await self.changeable(principal, request_id)
        await self._resends.count(request_id)
        return await self._resend(principal, request_id)

    @retry_on_conflict
    async def send_again(self, request_id: UUID | None, notifications: Sequence[Channel] | None) -> None:
        """Send the invitation again for the person, who proves nothing. Without a request, read as much (ruling K147).

        It goes over the notifications that have a contact, else over those of the request, else over every channel.
        """
        request = await self._store.find(OnboardingRequest, request_id or NO_REQUEST)
        organization_id = NO_REQUEST if request is None else request.organization_id
        organization = await self._store.find(Organization, organization_id)
        if request is not None and organization is not None and organization.active and not request.done:
            invite(request, _channels(request, notifications), self._codes)
        await (self._store.save() if request is None else self._store.save(request))

    def receipt(self, typed: str) -> str:
        """Return what a caller without a token is told of a name that they typed: the same for the same name."""
        return self._codes.receipt(normal_login(typed))

    async def changeable(self, principal: Principal, request_id: UUID) -> OnboardingRequest:
        """Return the request. Raises RequestClaimed, and the refusals of `OnboardingPermissions.require_changeable`."""
        request = await self._store.find(OnboardingRequest, request_id)
        if request is None:
            raise OnboardingRequestNotFound
        await self._permissions.require_changeable(principal, request)
        if request.done:
            raise RequestClaimed
        return request

    @retry_on_conflict
    async def _resend(self, principal: Principal, request_id: UUID) -> tuple[OnboardingRequest, int]:
        request = await self.changeable(principal, request_id)
        invite(request, request.reachable, self._codes)
        return request, await self._store.save(request)

    async def _person(self, request: OnboardingRequest, contacts: Contacts) -> _Person:
        """Return whom the request with these contacts is about."""
        user = await self._store.get(User, request.user_id)
        others = set(await self._directory.unclaimed_requests(user.id)) - {request.id}
        made = request.has_made(user) and not others  # or else the person of another request would lose their user
        holders = await self._holders(user if made else None, names_of(contacts.email, None, None))
        if made and not holders.meant:
            return await self._readdressed(user, contacts)
        holders = await self._holders(user if made else None, contacts.login_names)
        if holders.meant:
            return _Person(holders.meant[0].id)
        ids = NewIds(request.id, uuid4(), uuid4())
        person = await self._new_people.create(request, await self._free(contacts), ids)
        new = person.admission.user
        return _Person(new.id, [new, *person.belongings], person.rests_on, new=True)

    async def _holders(self, made: User | None, names: Sequence[LoginName]) -> NameHolders:
        """Return the users who have one of the names, except the user who was made with the request."""
        users = await self._store.get_many(User, await self._directory.users_named(names))
        return NameHolders.of((user for user in users.values() if made is None or user.id != made.id), names)

    async def _readdressed(self, user: User, contacts: Contacts) -> _Person:
        """Give the user who was made with the request the new address, and undo what came by way of the former one.

        Whoever had the former address may have signed up: their password, their names and their codes count no more.
        """
        free = await self._free(contacts, user.id)
        if user.state == "init" and free.email is not None and free.username == user.names.revealed[2]:
            user.change_contact("email", free.email)
        else:
            user.undo_registration(LoginNames.of(user.id, *free))
        return _Person(user.id, [user, *await void_codes(self._store, user.id)])

    async def _free(self, contacts: Contacts, user_id: UUID | None = None) -> Contacts:
        """Return the contacts that no other user has as login names."""
        names = names_of(*contacts)
        taken = [name for name in names if set(await self._directory.users_named([name])) - {user_id}]
        return contacts.without(taken)


def _channels(request: OnboardingRequest, notifications: Sequence[Channel] | None) -> list[Channel]:
    """Return the channels over which an invitation is repeated (ruling K94)."""
    reachable = request.reachable
    wanted = request.notifications if notifications is None else notifications
    if wanted is None:  # the request left the channel to the service
        return reachable[:1]
    return [channel for channel in reachable if channel in wanted] or reachable


def invite(request: OnboardingRequest, channels: Sequence[Channel], codes: ReferralCodes) -> None:
    """Issue an invitation over each of the channels."""
    for channel in channels:
        message_id = uuid4()
        request.invite(message_id, channel, hash_of_code(codes.code(message_id)), codes.lifetime)
