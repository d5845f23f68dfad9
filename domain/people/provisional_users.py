"""Users whose contacts nobody has proved, and what becomes of them when the person comes (ruling O1)."""

from collections.abc import Sequence
from typing import NamedTuple

from domain.onboarding.invitations import Invitation
from domain.people.individuals import Individual
from domain.people.users import IdentifierTaken, User


class Found(NamedTuple):
    """Users whom the names of an invitation find: the one it is about, and others, none of whom proved a name."""

    user: User
    others: Sequence[User] = ()


def unproved(user: User) -> bool:
    """Whether what opens the account proves nothing: the user is provisional, or has yet to be confirmed."""
    return user.provisional or not user.confirmed


def meant(users: Sequence[User]) -> Found:
    """The user whom names that find several mean. Raises IdentifierTaken when more than one of them is verified."""
    proved = [user for user in users if not unproved(user)]
    if len(proved) > 1:
        raise IdentifierTaken
    return Found(proved[0]) if proved else Found(users[0], users[1:])


def confirm(user: User, invitation: Invitation, *, vouched: bool) -> None:
    """Let the user sign in. What a system administrator or a service gives is verified (`vouched`)."""
    user.confirm(
        email_verified=vouched and invitation.email is not None,
        phone_verified=vouched and invitation.phone is not None,
    )


def take_over(found: Found, individuals: Sequence[Individual], invitation: Invitation, hashed: str | None) -> None:
    """Hand the account to the person whom a system administrator or a service knows.

    Shares with users end, because the person did not decide them. Other users who cannot prove the names lose them.
    """
    user = found.user
    user.take_over(
        email=invitation.email,
        phone=invitation.phone,
        username=invitation.username,
        password_hash=hashed,
        email_verified=invitation.email is not None,
        phone_verified=invitation.phone is not None,
    )
    confirm(user, invitation, vouched=True)
    for individual in individuals:
        if individual.owner_id == user.id:
            individual.unshare_users()
    for other in found.others:
        other.release_login_names(invitation.names)
