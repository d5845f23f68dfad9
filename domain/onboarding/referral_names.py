"""Which names a person gets who signs up with a referral code: the code proves one contact, not the others."""

from typing import NamedTuple

from domain.core.messages import Channel
from domain.onboarding.invitations import ChannelWithoutContact
from domain.onboarding.requests import OnboardingRequest
from domain.people.account_codes import kind_of
from domain.people.login_names import ContactKind, parse_login_name
from domain.people.sign_up_names import ChosenNames, names_chosen
from domain.people.users import User


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
    """Return the names of the person whom a code reached at the contact `proved`, None for a new user.

    Whoever made the request typed its contacts. A user who was made with it gets all of them that they do not have
    otherwise by now. Any other user gets the proved contact, and of the others those that they have already: the code
    proves nothing else to be theirs. Raises the refusals of `names_chosen`, and ChannelWithoutContact.
    """
    asked_email, asked_phone, _ = request.names.revealed
    own_email, own_phone, _ = (None, None, None) if user is None else user.names.revealed
    made = user is not None and request.new_user and request.user_id == user.id
    email = asked_email if proved == "email" else _kept(asked_email, own_email, made=made)
    phone = asked_phone if proved == "phone" else _kept(asked_phone, own_phone, made=made)
    names = names_chosen(given.username, email, phone, given.login_contact)
    if given.source is not None and getattr(names, kind_of(given.source)) is None:
        raise ChannelWithoutContact(argument="source")
    return names


def _kept(asked: str | None, own: str | None, *, made: bool) -> str | None:
    """Return the contact of a kind that the user gets; `made` tells whether they were made with the request."""
    if _same(asked, own):
        return asked
    return own or asked if made else None


def _same(one: str | None, other: str | None) -> bool:
    return one is not None and other is not None and parse_login_name(one) == parse_login_name(other)
