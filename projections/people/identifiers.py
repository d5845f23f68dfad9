"""Everything a user may sign in with, once only: the unique index decides, in the append's own transaction."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from psycopg import AsyncCursor

from domain.core.personal import revealed
from domain.core.ports import Lookup
from domain.core.turns import in_turns
from domain.people.login_names import LoginName, LoginNames, NameKind, email_key, names_of, parse_login_name
from domain.people.users import IdentifierTaken, User
from projections.core.fold import handler
from projections.core.rows import fetched
from projections.core.unique_rows import UniqueFold, UniqueProjection, UniqueTable

KINDS: list[NameKind] = ["email", "phone", "username"]
TABLE = UniqueTable(
    name="user_identifiers",
    columns={"hash": "bytea", "user_id": "uuid", "kind": "text"},
    key=("hash",),
    owner=("user_id", "kind"),
    constraints=("user_identifiers_pkey",),
)

Row = tuple[bytes, UUID, NameKind]


class HashedNamesFold(UniqueFold):
    """Base of folds whose keys are the hashes of login names."""

    def __init__(self, lookup: Lookup) -> None:
        super().__init__()
        self._lookup = lookup

    def hashed(self, name: LoginName) -> bytes:
        """Return the hash under which the name is found."""
        return hash_of(self._lookup, name)


class IdentifiersFold(HashedNamesFold):
    table = TABLE
    refusal = IdentifierTaken

    @handler
    def name(self, event: User.Created | User.TakenOver | User.LoginNamesChosen | User.RegistrationUndone) -> None:
        """Let the user hold these names. Service accounts hold none: they do not sign in."""
        if isinstance(event, User.Created) and event.kind == "service":
            return
        rows = list(self._rows_of(event.originator_id, event.names))
        for kind in KINDS:
            held = [row for row in rows if row[2] == kind]
            self.hold((event.originator_id, kind), held, new=isinstance(event, User.Created))

    @handler
    def change_contact(self, event: User.ContactChanged) -> None:
        """Let the user hold the new contact in place of the former one."""
        contact = revealed(event.contact)
        names = [] if contact is None else [parse_login_name(contact)]
        rows = ((self.hashed(name), event.originator_id, name.kind) for name in names)
        self.hold((event.originator_id, event.kind), rows)

    @handler
    def choose_login_name(self, event: User.LoginNameChosen) -> None:
        """Release the user name."""
        self.hold((event.originator_id, "username"), ())

    @handler
    def archive(self, event: User.Archived) -> None:
        """Release all names."""
        for kind in KINDS:
            self.hold((event.originator_id, kind), ())

    @handler
    def release(self, event: User.LoginNamesReleased) -> None:
        """Write it in its place in the log: another user may have the name from then on, not before."""
        for kind in event.kinds:
            self.hold((event.originator_id, kind), ())

    def _rows_of(self, user_id: UUID, names: LoginNames) -> Iterable[Row]:
        for name in names_of(*names.revealed):
            yield self.hashed(name), user_id, name.kind


class IdentifiersProjection(UniqueProjection):
    """Only hashes are kept, of each kind of name its own."""

    name = "identifiers"
    version = 2
    tables = (TABLE.name,)
    events = IdentifiersFold.events

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    def fold(self) -> IdentifiersFold:
        return IdentifiersFold(self._lookup)


def hash_of(lookup: Lookup, name: LoginName) -> bytes:
    """Return the keyed hash under which a user with the name is found; each kind of names has its own."""
    return lookup(f"login-{name.kind}", name.key)


async def users_by_email(cursor: AsyncCursor, lookup: Lookup, emails: Iterable[str]) -> dict[str, UUID]:
    """Return user ids by the address as given."""
    addresses = list(emails)
    hashes = await in_turns(lambda email: hash_of(lookup, LoginName("email", email_key(email))), addresses)
    found = await _users(cursor, set(hashes))
    return {email: found[hashed] for email, hashed in zip(addresses, hashes, strict=True) if hashed in found}


async def user_by_login(cursor: AsyncCursor, lookup: Lookup, login: str) -> UUID | None:
    """Return the user who signs in with this: the form of a name tells its kind, so that it is one user's only."""
    found = await users_named(cursor, lookup, [parse_login_name(login)])
    return found[0] if found else None


async def users_named(cursor: AsyncCursor, lookup: Lookup, names: Sequence[LoginName]) -> list[UUID]:
    """Return users with these names, in the order of the names, each once."""
    hashes = [hash_of(lookup, name) for name in names]
    found = await _users(cursor, hashes)
    return list(dict.fromkeys(found[hashed] for hashed in hashes if hashed in found))


async def _users(cursor: AsyncCursor, hashes: Iterable[bytes]) -> dict[bytes, UUID]:
    await cursor.execute("SELECT hash, user_id FROM user_identifiers WHERE hash = ANY(%s)", [list(hashes)])
    return {bytes(hashed): user_id for hashed, user_id in await fetched(cursor)}
