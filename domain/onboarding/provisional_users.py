"""Users without a verified contact, and how the person who owns a contact gets such an account (rulings O1 and O2)."""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from domain.onboarding.invitations import Contacts, Invitation
from domain.people.individuals import Individual
from domain.people.login_names import LoginName, names_of
from domain.people.users import IdentifierTaken, User


class NameHolders(NamedTuple):
    """Users who have one of some login names: those whom the names mean, and others, who did not prove them (O2)."""

    meant: Sequence[User] = ()
    others: Sequence[User] = ()

    @classmethod
    def of(cls, users: Iterable[User], names: Collection[LoginName]) -> "NameHolders":
        """Divide the users who have the names."""
        every = list(users)
        meant = [user for user in every if any(user.is_meant_by(name) for name in names)]
        known = {user.id for user in meant}
        return cls(meant, [user for user in every if user.id not in known])

    def left_of(self, contacts: Contacts) -> Contacts:
        """Return the contacts that none of those have who did not prove them."""
        return contacts.without({name for other in self.others for name in names_of(*other.names.revealed)})

    def release(self, names: Collection[LoginName]) -> None:
        """Take the names away from the users who did not prove them."""
        for other in self.others:
            other.release_login_names(names)


class MatchedUsers(NamedTuple):
    """Users who have the login names of an invitation: the invited one, and others, none of whom proved a name."""

    user: User
    others: Sequence[User] = ()


def is_unverified(user: User) -> bool:
    """Return whether the user proved none of their contacts: they are provisional, or not yet confirmed."""
    return user.provisional or not user.confirmed


def match_user(holders: NameHolders) -> MatchedUsers:
    """Return which of the users the login names mean. Raises IdentifierTaken when more than one is verified."""
    users = holders.meant
    verified = [user for user in users if not is_unverified(user)]
    if len(verified) > 1:
        raise IdentifierTaken
    return MatchedUsers(verified[0]) if verified else MatchedUsers(users[0], [*users[1:], *holders.others])


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
