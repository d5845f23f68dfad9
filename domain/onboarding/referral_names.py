"""Which names a person gets who signs up with a referral code: the code proves one contact, not the others."""

from typing import NamedTuple

from domain.core.messages import Channel
from domain.core.personal import revealed
from domain.onboarding.invitations import ChannelWithoutContact
from domain.onboarding.requests import OnboardingRequest
from domain.people.account_codes import kind_of
from domain.people.login_names import ContactKind, parse_login_name
from domain.people.sign_up_names import ChosenNames, names_chosen
from domain.people.users import User

KINDS: tuple[ContactKind, ContactKind] = ("email", "phone")


class NamesGiven(NamedTuple):
    """What a person says of their names. `source` is the channel of the confirmation code."""

    username: str
    login_contact: ContactKind | None
    source: Channel | None

    @property
    def insisted(self) -> set[str]:
        """Return the kinds of names without which the person does not want to sign up."""
        source = None if self.source is None else kind_of(self.source)
        return {parse_login_name(self.username).kind, self.login_contact or "", source or ""}


def names_of_invited(
    request: OnboardingRequest, user: User | None, proved: ContactKind, given: NamesGiven
) -> ChosenNames:
    """Return the names of the person whom a code reached at the contact `proved`; `user` is None for a new one.

    Whoever made the request typed its contacts. A further one may be the inviter's own, who could verify it, log in and
    reset the password. So the person gets it only if they insist on it, or if the user has verified it before. A user
    who was not made with the request must have it already. Raises the refusals of `names_chosen`, and
    ChannelWithoutContact.
    """
    contacts: dict[str, str | None] = {}
    for kind, asked in zip(KINDS, request.names.revealed, strict=False):
        contacts[kind] = asked if kind == proved else _further(kind, asked, request, user, given)
    names = names_chosen(given.username, contacts["email"], contacts["phone"], given.login_contact)
    if given.source is not None and getattr(names, kind_of(given.source)) is None:
        raise ChannelWithoutContact(argument="source")
    return names


def _further(
    kind: ContactKind, asked: str | None, request: OnboardingRequest, user: User | None, given: NamesGiven
) -> str | None:
    own = None if user is None else revealed(getattr(user.names, kind))
    if user is not None and user.is_verified(kind):
        return own
    if kind == parse_login_name(given.username).kind:
        return asked  # with which the typed one is compared; it fills a contact that the request lacks
    if user is None or kind not in given.insisted:
        return None
    made = request.new_user and request.user_id == user.id
    return own or asked if made or _same(asked, own) else None


def _same(one: str | None, other: str | None) -> bool:
    return one is not None and other is not None and parse_login_name(one) == parse_login_name(other)
