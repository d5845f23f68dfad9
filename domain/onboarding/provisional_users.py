"""Users without a verified contact, and how the person who owns a contact gets such an account (ruling O1)."""

from collections.abc import Sequence
from typing import NamedTuple

from domain.onboarding.invitations import Invitation
from domain.people.individuals import Individual
from domain.people.users import IdentifierTaken, User


class MatchedUsers(NamedTuple):
    """Users who have the login names of an invitation: the invited one, and others, none of whom proved a name."""

    user: User
    others: Sequence[User] = ()


def is_unverified(user: User) -> bool:
    """Return whether the user proved none of their contacts: they are provisional, or not yet confirmed."""
    return user.provisional or not user.confirmed


def match_user(users: Sequence[User]) -> MatchedUsers:
    """Return which of the users the login names mean. Raises IdentifierTaken when more than one is verified."""
    verified = [user for user in users if not is_unverified(user)]
    if len(verified) > 1:
        raise IdentifierTaken
    return MatchedUsers(verified[0]) if verified else MatchedUsers(users[0], users[1:])


def confirm(user: User, invitation: Invitation, *, vouched: bool) -> None:
    """Let the user sign in. `vouched` verifies their contacts: a system administrator or a service entered them."""
    user.confirm(
        email_verified=vouched and invitation.contacts.email is not None,
        phone_verified=vouched and invitation.contacts.phone is not None,
    )


def take_over(
    matched: MatchedUsers, individuals: Sequence[Individual], invitation: Invitation, password_hash: str | None
) -> None:
    """Hand the account over to the person for whom a system administrator or a service vouches.

    End the shares with users, because the person did not decide them. Other users who did not prove the login names
    lose them.
    """
    user, contacts = matched.user, invitation.contacts
    user.take_over(
        email=contacts.email,
        phone=contacts.phone,
        username=contacts.username,
        password_hash=password_hash,
        email_verified=contacts.email is not None,
        phone_verified=contacts.phone is not None,
    )
    confirm(user, invitation, vouched=True)
    for individual in individuals:
        if individual.owner_id == user.id:
            individual.unshare_users()
    for other in matched.others:
        other.release_login_names(contacts.login_names)
