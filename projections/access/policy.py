"""The policy: one relation per operation, of users and the resources they have it on (semantics, 6.2).

The same text answers a check (both sides given), a list (the user given) and the accessors (the resource given);
Postgres pushes what is given into each of its paths. These are constants and not views, because a rebuild puts
other tables in the place of these.

A path of the relation counts neither inactive groups (they are not in the closure) nor inactive organizations.
The query that uses a policy asks whether the user is live, and `everyone`.
"""

from dataclasses import dataclass

MEMBERS_READ_INDIVIDUALS = True
"""Members of a group read the individuals of that group and below; leaders read and write (semantics, 0.3)."""

LEADERS = "('leader')"
ROSTERED = "('leader', 'member')"


@dataclass(frozen=True)
class Policy:
    """`source` is the table of the resources as `r`, `key` its id.

    `grants` is the relation (user_id, resource_id); `everyone` is the condition on a user `u` and a resource `r`
    under which they have it without any grant. `single` are the grants that do not come from a whole organization, with
    the group's; `counted` are the same without asking once more whether the individual is the organization's: a
    foreign key makes sure of that already.
    `below` are the groups that they come from: (user_id, group_id, organization_id).
    """

    source: str
    key: str
    grants: str
    everyone: str
    single: str = ""
    counted: str = ""
    below: str = ""


def _organizations_of_users(condition: str) -> str:
    return f"""
        SELECT p.user_id, p.organization_id
        FROM organization_users p JOIN access_organizations o USING (organization_id)
        WHERE o.active AND ({condition})"""


ADMINISTERED = _organizations_of_users("p.admin")
WORKED_IN = _organizations_of_users("p.admin OR p.provider")
WHOLE = _organizations_of_users("p.admin OR p.provider AND o.open")
"""(user_id, organization_id): organizations all of whose individuals the user reads and writes."""


_STILL_OF_ORGANIZATION = """
    JOIN individual_organizations k ON (k.individual_id, k.organization_id) = (i.individual_id, i.organization_id)"""


def _below(kinds: str) -> str:
    return f"""
    SELECT s.user_id, c.descendant_id AS group_id, s.organization_id
    FROM group_users s
    JOIN group_closure c ON c.ancestor_id = s.group_id
    JOIN access_organizations o ON o.organization_id = s.organization_id
    WHERE s.kind IN {kinds} AND o.active"""


def _singly(shares: str, below: str, check: str = _STILL_OF_ORGANIZATION) -> str:
    return f"""
    SELECT owner_id AS user_id, individual_id AS resource_id, NULL::uuid AS organization_id FROM access_individuals
    UNION ALL
    SELECT user_id, individual_id, NULL FROM individual_users WHERE {shares}
    UNION ALL
    SELECT b.user_id, i.individual_id, b.organization_id
    FROM ({below}) b JOIN group_individuals i USING (group_id) {check}"""


def _individuals(shares: str, kinds: str) -> Policy:
    below = _below(kinds)
    single = _singly(shares, below)
    grants = f"""
    SELECT user_id, resource_id FROM ({single}) single
    UNION ALL
    SELECT w.user_id, b.individual_id FROM ({WHOLE}) w JOIN individual_organizations b USING (organization_id)"""
    return Policy(
        "access_individuals r",
        "individual_id",
        grants,
        everyone="u.unlimited",
        single=single,
        counted=_singly(shares, below, check=""),
        below=below,
    )


def _groups(organizations: str, kinds: str, stored: str) -> str:
    return f"""
    SELECT w.user_id, g.group_id AS resource_id
    FROM ({organizations}) w JOIN access_groups g USING (organization_id)
    WHERE g.active AND {stored}
    UNION ALL
    SELECT s.user_id, c.descendant_id
    FROM group_users s
    JOIN group_closure c ON c.ancestor_id = s.group_id
    JOIN access_organizations o USING (organization_id)
    WHERE s.kind IN {kinds} AND o.active"""


# (owner, group): the computed groups that an individual of the owner is in
_COMPUTED = """
    SELECT i.owner_id AS user_id, g.group_id
    FROM access_individuals i
    JOIN individual_organizations b USING (individual_id)
    JOIN access_organizations o USING (organization_id)
    JOIN access_groups g USING (organization_id)
    WHERE o.active AND g.active AND g.system AND (g.type = 'all_participants' OR NOT EXISTS (
        SELECT FROM group_individuals p JOIN access_groups placed ON placed.group_id = p.group_id
        WHERE p.individual_id = i.individual_id AND p.organization_id = g.organization_id
          AND placed.active AND placed.type = 'regular'))"""

_CONTAINED = f"""
    SELECT s.user_id, c.ancestor_id AS resource_id
    FROM group_users s
    JOIN group_closure c ON c.descendant_id = s.group_id
    JOIN access_organizations o USING (organization_id)
    WHERE o.active
    UNION ALL
    SELECT i.owner_id, c.ancestor_id
    FROM access_individuals i
    JOIN group_individuals p USING (individual_id)
    JOIN individual_organizations b USING (individual_id, organization_id)
    JOIN group_closure c ON c.descendant_id = p.group_id
    JOIN access_organizations o ON o.organization_id = p.organization_id
    WHERE o.active
    UNION ALL
    {_COMPUTED}"""

_ORGANIZATIONS = "access_organizations r"
_GROUPS = "access_groups r JOIN access_organizations o USING (organization_id)"

POLICIES: dict[tuple[str, str], Policy] = {
    ("individual", "read"): _individuals("true", ROSTERED if MEMBERS_READ_INDIVIDUALS else LEADERS),
    ("individual", "write"): _individuals("writes", LEADERS),
    ("organization", "read"): Policy(
        _ORGANIZATIONS,
        "organization_id",
        f"SELECT user_id, organization_id AS resource_id FROM ({WORKED_IN}) w",
        everyone="u.unlimited OR u.staff AND r.active",
    ),
    ("organization", "write"): Policy(
        _ORGANIZATIONS,
        "organization_id",
        f"SELECT user_id, organization_id AS resource_id FROM ({ADMINISTERED}) w",
        everyone="u.unlimited AND r.active",
    ),
    ("group", "read"): Policy(
        _GROUPS,
        "group_id",
        _groups(WHOLE, ROSTERED, "true"),
        everyone="u.unlimited OR u.staff AND r.active AND o.active AND NOT r.system",
    ),
    ("group", "write"): Policy(
        _GROUPS,
        "group_id",
        _groups(ADMINISTERED, LEADERS, "NOT g.system"),
        everyone="u.unlimited AND r.active AND o.active",
    ),
    ("group", "contain"): Policy(_GROUPS, "group_id", _CONTAINED, everyone="false"),
}

SYSTEM: dict[str, str] = {"read": "u.unlimited OR u.staff", "write": "u.unlimited"}
"""Conditions of `system:<x>` on a user `u` alone."""

APP = "u.unlimited AND u.service_name IS NULL OR u.service_name = {name}"
"""The condition of `app.<name>:<x>`: system administrators and the service account of that name."""
