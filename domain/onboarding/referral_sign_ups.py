"""Signing up with a referral code: an invited person chooses a password and a login name (rulings K81 to K88)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID, uuid4

from domain.core.audited import caused_by
from domain.core.errors import Invalid, InvalidState, LostRace
from domain.core.messages import Channel
from domain.core.personal import revealed
from domain.core.ports import Store, retry_on_conflict, save_resting_on
from domain.onboarding.admissions import NewIds
from domain.onboarding.agreements import Agreements
from domain.onboarding.claims import Claimed, Claims
from domain.onboarding.invitations import Contacts
from domain.onboarding.invites import Invite
from domain.onboarding.referral_codes import ReferralCode
from domain.onboarding.referral_names import NamesGiven, names_of_invited
from domain.onboarding.requests import OnboardingRequest
from domain.people.account_codes import AccountCodes, kind_of
from domain.people.confirmations import CONFIRM_TEMPLATES
from domain.people.individuals import Individual
from domain.people.login_names import ContactKind, LoginName, parse_login_name
from domain.people.passwords import PasswordPolicy, words_about
from domain.people.sign_up_names import ChosenNames
from domain.people.totp import end_totp
from domain.people.users import IdentifierTaken, User
from domain.people.verification_codes import VerificationCodes, verification_codes_id


class InvalidReferralCode(Invalid, code="invalid-referral-code", argument="referral_code"):
    """The referral code is unknown, or can no longer be used."""


class InvitationClaimed(InvalidState, argument="referral_code"):
    """The invitation has been claimed."""


class ReferralSignUp(NamedTuple):
    """What an invited person sends. `source` is the channel of the confirmation code."""

    code: str
    username: str
    password: str
    login_contact: ContactKind | None = None
    source: Channel | None = None
    locale: str | None = None
    tz: str | None = None
    agreements: Sequence[UUID] = ()

    @property
    def names(self) -> NamesGiven:
        """Return what they say of their names."""
        return NamesGiven(self.username, self.login_contact, self.source)


class _Reached(NamedTuple):
    """Whom a code reached: the user who is meant by the contact of this kind, None if that is nobody yet."""

    request: OnboardingRequest
    invite: Invite
    kind: ContactKind
    user: User | None

    @property
    def contacts(self) -> Contacts:
        """Return the contact that was reached, and no other."""
        return Contacts(**{self.kind: revealed(getattr(self.request.names, self.kind))})

    def require_open(self) -> None:
        """Raise InvitationClaimed, InvalidReferralCode or IdentifierTaken when nobody can sign up with the code."""
        if self.request.done:
            raise InvitationClaimed
        if self.invite.void:
            raise InvalidReferralCode
        if self.user is not None and _is_known(self.user):
            raise IdentifierTaken(argument="username")


@dataclass(frozen=True, eq=False)
class ReferralSignUps:
    """Commands of invited people, who have no token."""

    store: Store
    accounts: AccountCodes
    claims: Claims
    agreements: Agreements
    password_policy: PasswordPolicy

    async def sign_up(self, given: ReferralSignUp) -> int:
        """Give the invited user a password and a login name. Return the position of the events.

        The result of the append is the id of the onboarding request. A confirmation code is sent, unless the request
        was made to confirm at once: then the contact of the invitation is verified, and the request is claimed. So it
        is for a provisional account, which is handed over to the person (ruling O1). A second sign-up before the claim
        replaces the first.

        Raises InvalidReferralCode, InvitationClaimed, the refusals of `names_of_invited`, of `Agreements.require` and
        of `PasswordPolicy.require`; IdentifierTaken for a name of another user, and for an invitation of somebody who
        is confirmed.
        """
        found = await self.accounts.directory.referral_code(given.code)
        if found is None:
            raise InvalidReferralCode
        if found.claimed:
            raise InvitationClaimed
        reached = await self._reached(found)
        request, user = reached.request, reached.user
        if user is None or not _is_known(user):
            names_of_invited(request, user, reached.kind, given.names)
        agreed = await self.agreements.require(
            given.agreements, user_id=None if user is None else user.id, organization_ids=[request.organization_id]
        )
        words = [word for word in (*request.names.revealed, given.username) if word is not None]
        await self.password_policy.require(given.password, [*words, *([] if user is None else words_about(user))])
        if user is not None and _is_known(user):
            raise IdentifierTaken(argument="username")
        password_hash = await self.password_policy.passwords.hash(given.password)
        ids = NewIds(request.id, uuid4(), uuid4())
        with caused_by(ids.user if user is None else user.id):
            return await self._sign_up(found, given._replace(agreements=agreed), password_hash, ids)

    async def _reached(self, found: ReferralCode) -> _Reached:
        """Return whom the code reached. Raises InvalidReferralCode when that user cannot sign up any more."""
        request = await self.store.get(OnboardingRequest, found.request_id)
        invite = request.invites[found.message_id]
        kind = kind_of(invite.channel)
        contact = revealed(getattr(request.names, kind))
        if contact is None:
            raise InvalidReferralCode
        name = parse_login_name(contact)
        holders = await self.accounts.directory.users_named([name])
        users = await self.store.get_many(User, dict.fromkeys([*holders, request.user_id]))
        user = users.get(holders[0]) if holders else None
        if user is None or not user.is_meant_by(name):
            made = users[request.user_id]
            waiting = request.has_made(made) and not made.archived and getattr(made.names, kind) is None
            user = made if waiting else None
        if user is not None and not (user.enabled or _is_known(user)):
            raise InvalidReferralCode
        return _Reached(request, invite, kind, user)

    @retry_on_conflict
    async def _sign_up(self, found: ReferralCode, given: ReferralSignUp, password_hash: str, ids: NewIds) -> int:
        reached = await self._reached(found)
        reached.require_open()
        request, user, new = reached.request, reached.user, None
        if user is None:
            new = await self.claims.new_people.create(request, reached.contacts, ids)
            user = new.admission.user
        names = names_of_invited(request, reached.user, reached.kind, given.names)
        released = await self._require_free(user, names, reached.kind)
        if user.id != request.user_id:
            request.repoint(user.id)
        totp = await end_totp(self.store, user.id) if user.confirmed else []
        individuals = await self._hand_over(user, names, reached.kind, password_hash)
        individuals += [] if new is None else new.admission.individuals
        user.assume_region(locale=given.locale, tz=given.tz)
        request.register()
        request.record_response(reached.invite.id)
        codes = await self._codes(user)
        claimed = await self._claim_or_issue(reached, user, individuals, codes, given)
        agreements = await self.agreements.agreed(user.id, given.agreements)
        belongings, rests_on = ([], []) if new is None else (new.belongings, new.rests_on)
        aggregates = (*released, user, *totp, *individuals, *belongings, codes, request, *agreements, *claimed.changed)
        changed = {aggregate.id: aggregate for aggregate in aggregates}
        unchanged = [*rests_on, *claimed.rests_on]
        try:
            return await save_resting_on(self.store, *changed.values(), unchanged=unchanged, result=request.id)
        except IdentifierTaken:  # a concurrent command took the name: decide again, to say so
            raise LostRace from None

    async def _claim_or_issue(
        self,
        reached: _Reached,
        user: User,
        individuals: Sequence[Individual],
        codes: VerificationCodes,
        given: ReferralSignUp,
    ) -> Claimed:
        """Claim the request for a user whom the referral code confirms, or issue a code that will confirm them."""
        if reached.request.auto_confirm or user.confirmed:
            user.prove(reached.kind)
            return await self.claims.of_confirmed(user, reached.request, individuals)
        channel = given.source or reached.invite.channel
        codes.issue(self.accounts.derivation, "confirm", channel, CONFIRM_TEMPLATES[channel], locale=given.locale)
        return Claimed([])

    async def _require_free(self, user: User, names: ChosenNames, proved: ContactKind) -> list[User]:
        """Return the users who lose the proved contact, which they did not prove. Raises IdentifierTaken."""
        released = []
        for name in names.finding:
            holder = await self._other_holder(user, name)
            if holder is None:
                continue
            if name.kind != proved or holder.is_meant_by(name):
                raise IdentifierTaken(argument="username")
            holder.release_login_names([name])
            released.append(holder)
        return released

    async def _other_holder(self, user: User, name: LoginName) -> User | None:
        """Return the other user who has the name."""
        holders = await self.accounts.directory.users_named([name])
        return await self.store.get(User, holders[0]) if holders and holders[0] != user.id else None

    async def _hand_over(
        self, user: User, names: ChosenNames, proved: ContactKind, password_hash: str
    ) -> list[Individual]:
        """Give the user the password and the names. Return the individuals of a provisional account, which change."""
        if not user.confirmed:
            user.set_password(password_hash)
            user.choose_login_names(names.login_names(user.id), names.login_contact)
            return []
        user.take_over(
            email=names.email,
            phone=names.phone,
            username=names.username,
            password_hash=password_hash,
            email_verified=proved == "email",
            phone_verified=proved == "phone",
        )
        user.choose_login_names(user.names, names.login_contact)
        individuals = await self.store.get_many(Individual, user.individuals)
        for individual in individuals.values():
            individual.unshare_users()
        return list(individuals.values())

    async def _codes(self, user: User) -> VerificationCodes:
        """Return the codes of the user; the earlier ones, which may have gone to other contacts, are void."""
        codes = await self.store.find(VerificationCodes, verification_codes_id(user.id))
        codes = codes or VerificationCodes.create(user.id)
        codes.void(codes.codes.values())
        return codes


def _is_known(user: User) -> bool:
    """Return whether the user signs in already, so that they claim the request instead (ruling K8)."""
    return user.confirmed and not user.provisional
