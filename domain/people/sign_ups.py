"""Sign-ups: people who register themselves with an organization code (semantics 9, rulings K3, K5 and K81 to K89)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID, uuid4, uuid5

from domain.core.audited import Audited, caused_by
from domain.core.errors import Invalid, LostRace
from domain.core.messages import Channel
from domain.core.personal import Personal, sealed
from domain.core.ports import Store, retry_on_conflict
from domain.groups.groups import Group
from domain.groups.rosters import RosterEntry
from domain.onboarding.agreements import Agreements
from domain.onboarding.requests import OnboardingRequest
from domain.organizations.enrollment import EnrollmentSchemas, require_enrollment_data
from domain.organizations.enrollment_codes import OrganizationCode, organization_code_id
from domain.organizations.organizations import Organization
from domain.people.confirmations import CONFIRM_TEMPLATES
from domain.people.directory import Directory
from domain.people.individual_commands import leave_groups
from domain.people.individuals import Individual
from domain.people.login_names import ContactKind, parse_login_name
from domain.people.passwords import PasswordPolicy
from domain.people.users import IdentifierTaken, User
from domain.people.verification_codes import CodeCheck, VerificationCodes, verification_codes_id


class InvalidOrganizationCode(Invalid, code="invalid-organization-code", argument="organization_code"):
    """The organization code is not valid."""


@dataclass(frozen=True, repr=False)
class Registration:
    """What somebody tells who signs up with an organization code.

    `username` is a user name that is no contact; `named_by` is the contact that was given in its place, if any.
    `login_contact` is the contact under whose name they log in, None for the usual name. A confirmation code goes over
    each of the `channels`. `enrollment_data` is a JSON object. `locale` and `tz` count until the user chooses others.
    """

    organization_code: str
    first_name: str
    last_name: str
    password: str
    email: str | None
    phone: str | None
    username: str | None
    named_by: ContactKind | None
    login_contact: ContactKind | None
    channels: Sequence[Channel]
    enrollment_data: str
    birth_date: str | None
    gender: str | None
    preferred_name: str | None
    agreements: Sequence[UUID]
    locale: str | None
    tz: str | None

    @property
    def names(self) -> dict[str, str]:
        """Return the login names by the arguments that they were given as."""
        given = {
            "username": self.username,
            "username" if self.named_by == "email" else "email": self.email,
            "username" if self.named_by == "phone" else "contact_phone_mobile": self.phone,
        }
        return {argument: name for argument, name in given.items() if name is not None}

    @property
    def words(self) -> list[str]:
        """Return the words that an attacker knows of the person."""
        return [*self.names.values(), self.first_name, self.last_name]


def sign_up_id(user_id: UUID) -> UUID:
    """Return the id of the user's sign-up; a user signs up only once."""
    return uuid5(user_id, "sign-up")


class SignUp(Audited):
    """How a user registered themselves with an organization code. `code` is the code as it was created."""

    TOPIC = "sign-up"
    SNAPSHOT_EVERY = None

    user_id: UUID
    organization_id: UUID
    code: str
    enrollment_data: Personal

    class Created(Audited.Created):
        """A person signed up with an organization code.

        `enrollment_data` is a JSON object. `agreements` are the service documents that the person agreed to.
        """

        TOPIC = "sign-up.created"
        user_id: UUID
        organization_id: UUID
        code: str
        enrollment_data: Personal
        birth_date: Personal | None
        gender: Personal | None
        preferred_name: Personal | None
        agreements: list[UUID]
        locale: str | None
        tz: str | None

    @classmethod
    def create(cls, user_id: UUID, code: OrganizationCode, registration: Registration) -> "SignUp":
        """Return the sign-up of a new user."""
        return cls._create(
            cls.Created,
            id=sign_up_id(user_id),
            user_id=user_id,
            organization_id=code.fields.organization_id,
            code=code.fields.code,
            enrollment_data=Personal(user_id, registration.enrollment_data),
            birth_date=sealed(user_id, registration.birth_date),
            gender=sealed(user_id, registration.gender),
            preferred_name=sealed(user_id, registration.preferred_name),
            agreements=list(dict.fromkeys(registration.agreements)),
            locale=registration.locale,
            tz=registration.tz,
        )


class _Place(NamedTuple):
    """Where a code leads to. `group` is None when the code has none that is active."""

    code: OrganizationCode
    organization: Organization
    group: Group | None

    @property
    def rests_on(self) -> list[Audited]:
        return [self.code, self.organization, *([] if self.group is None else [self.group])]


class _NewIds(NamedTuple):
    """Chosen once, so that every attempt of the command has the same."""

    user: UUID
    individual: UUID


@dataclass(frozen=True, eq=False)
class SignUps:
    """Commands of callers without a token who register themselves."""

    store: Store
    directory: Directory
    policy: PasswordPolicy
    schemas: EnrollmentSchemas
    agreements: Agreements
    checks: CodeCheck

    async def with_organization_code(self, registration: Registration) -> tuple[SignUp, int]:
        """Create a registered user with an individual that is shared with the organization, and send the codes.

        Return the sign-up and the position of the events. Raises, in this order: InvalidOrganizationCode;
        EnrollmentDataTooLarge and the violations of the schema; UnknownServiceDocument, ServiceDocumentsRequired; the
        refusals of `PasswordPolicy.require`; IdentifierTaken. Nothing is recorded then.
        """
        place = await self._place(registration.organization_code)
        schema = place.code.fields.enrollment_schema
        await require_enrollment_data(self.schemas, schema, registration.enrollment_data)
        await self.agreements.require(registration.agreements, organization_ids=[place.organization.id])
        await self.policy.require(registration.password, registration.words)
        await self._abandoned_users(registration)
        password_hash = await self.policy.passwords.hash(registration.password)
        return await self._sign_up(registration, password_hash, _NewIds(uuid4(), uuid4()))

    @retry_on_conflict
    async def _sign_up(self, registration: Registration, password_hash: str, ids: _NewIds) -> tuple[SignUp, int]:
        place = await self._place(registration.organization_code)
        abandoned = await self._abandoned_users(registration)
        with caused_by(ids.user):
            given_up = [aggregate for user in abandoned for aggregate in await self._give_up(user, ids.user)]
            user = _new_user(registration, place.organization, ids)
            user.set_password(password_hash)
            individual = Individual.create(ids.individual, "user", user.id)
            individual.share("organization", place.organization.id)
            sign_up = SignUp.create(user.id, place.code, registration)
            made: list[Audited] = [user, individual, *_entries(place, individual), sign_up]
            made += await self.agreements.agreed(user.id, registration.agreements)
            made.append(self._issued_codes(user, registration))
        try:
            position = await self.store.save(*given_up, *made, unchanged=place.rests_on, result=user.id)
        except IdentifierTaken:  # by a sign-up at the same time: decide again, which tells the name that is taken
            raise LostRace from None
        return sign_up, position

    async def _place(self, typed: str) -> _Place:
        """Return where the code leads to now. Raises InvalidOrganizationCode."""
        code = await self.store.find(OrganizationCode, organization_code_id(typed))
        if code is None:
            raise InvalidOrganizationCode
        organization = await self.store.get(Organization, code.fields.organization_id)
        if not code.admits_to(organization):
            raise InvalidOrganizationCode
        group_id = code.fields.individual_group_id
        group = None if group_id is None else await self.store.get(Group, group_id)
        return _Place(code, organization, group if group is not None and group.active else None)

    async def _abandoned_users(self, registration: Registration) -> list[User]:
        """Return the users with one of the names who give way because they never confirmed their sign-up (ruling K5).

        Raises IdentifierTaken when another user has a name.
        """
        abandoned = {}
        for argument, name in registration.names.items():
            for user_id in await self.directory.users_named([parse_login_name(name)]):
                abandoned[user_id] = await self._require_abandoned(user_id, argument)
        return list(abandoned.values())

    async def _give_up(self, user: User, heir_id: UUID) -> list[Audited]:
        """Archive the user, and take their individual from the organization. Return what has changed.

        Organizations that have invited the person have invited the heir, who has the contact now.
        """
        user.archive()
        request_ids = await self.directory.unclaimed_requests(user.id)
        requests = list((await self.store.get_many(OnboardingRequest, request_ids)).values())
        for request in requests:
            request.repoint(heir_id)
        individuals = list((await self.store.get_many(Individual, user.individuals)).values())
        entries: list[Audited] = []
        for individual in individuals:
            for organization_id in list(individual.organizations):
                individual.unshare("organization", organization_id)
                entries += await leave_groups(self.store, self.directory, individual.id, organization_id)
        return [user, *entries, *individuals, *requests]

    async def _require_abandoned(self, user_id: UUID, argument: str) -> User:
        user, sign_up, codes = await self.store.find_each(
            (User, user_id), (SignUp, sign_up_id(user_id)), (VerificationCodes, verification_codes_id(user_id))
        )
        ends_at = None if codes is None else codes.last_ends_at
        unconfirmed = user is not None and user.state == "registered" and sign_up is not None
        if user is None or not unconfirmed or ends_at is None or ends_at > datetime.now(UTC):
            raise IdentifierTaken(argument=argument)
        return user

    def _issued_codes(self, user: User, registration: Registration) -> VerificationCodes:
        codes = VerificationCodes.create(user.id)
        for channel in registration.channels:
            codes.issue(
                self.checks.derivation, "confirm", channel, CONFIRM_TEMPLATES[channel], locale=registration.locale
            )
        return codes


def _new_user(registration: Registration, organization: Organization, ids: _NewIds) -> User:
    user = User.create(
        ids.user,
        classification=organization.details.classification,
        individual_id=ids.individual,
        email=registration.email,
        phone=registration.phone,
        username=registration.username,
        first_name=registration.first_name,
        last_name=registration.last_name,
    )
    if registration.login_contact is not None:
        user.choose_login_names(user.names, registration.login_contact)
    user.assume_region(locale=registration.locale, tz=registration.tz)
    return user


def _entries(place: _Place, individual: Individual) -> list[RosterEntry]:
    if place.group is None:
        return []
    return [RosterEntry.add(place.group.id, place.organization.id, "individual", individual.id)]
