"""The statements with which the authorization tables are written."""


def _set(table: str, key: str, column: str, type_: str) -> str:
    """Return the statement that sets a column of the rows with these keys."""
    return f"""
    UPDATE {table} t SET {column} = new.value
    FROM unnest(%b::uuid[], %b::{type_}[]) AS new(id, value) WHERE t.{key} = new.id"""


ADD_ORGANIZATIONS = """
INSERT INTO access_organizations (organization_id, open, staffed, touched_at, authorization_at)
SELECT id, open, staffed, at, at
FROM unnest(%b::uuid[], %b::boolean[], %b::boolean[], %b::timestamptz[]) AS new(id, open, staffed, at)
"""
SET_OPEN = _set("access_organizations", "organization_id", "open", "boolean")
SET_ACTIVE = _set("access_organizations", "organization_id", "active", "boolean")
SET_STAFFED = _set("access_organizations", "organization_id", "staffed", "boolean") + " AND t.staffed <> new.value"
ADD_ROLES = """
INSERT INTO access_roles (role_id, organization_id, name) SELECT * FROM unnest(%b::uuid[], %b::uuid[], %b::text[])
"""

ADD_USERS = """
INSERT INTO access_users (user_id, service_name, staff, classified, touched_at)
SELECT id, service_name, false, classified, at
FROM unnest(%b::uuid[], %b::text[], %b::boolean[], %b::timestamptz[]) AS new(id, service_name, classified, at)
"""
CONFIRM_USERS = "UPDATE access_users SET confirmed = true WHERE user_id = ANY(%b::uuid[])"
ENABLE_USERS = _set("access_users", "user_id", "enabled", "boolean")
REQUIRE_RESET = _set("access_users", "user_id", "reset_required", "boolean")
ARCHIVE_USERS = "UPDATE access_users SET archived = true WHERE user_id = ANY(%b::uuid[])"
END_SESSIONS = """
UPDATE access_users u SET sessions_ended_at_position = new.position, kept_session_id = new.kept
FROM unnest(%b::uuid[], %b::bigint[], %b::uuid[]) AS new(user_id, position, kept) WHERE u.user_id = new.user_id
"""
# Whoever loses the classification is no longer staff; SET_STAFF makes staff of those who get it.
SET_CLASSIFIED = """
UPDATE access_users u SET classified = new.value, staff = u.staff AND new.value
FROM unnest(%b::uuid[], %b::boolean[]) AS new(user_id, value) WHERE u.user_id = new.user_id
"""

SET_PROVIDERS = """
INSERT INTO organization_users (user_id, organization_id, provider, admin)
SELECT user_id, organization_id, provider, false
FROM unnest(%b::uuid[], %b::uuid[], %b::boolean[]) AS new(user_id, organization_id, provider)
ON CONFLICT (user_id, organization_id) DO UPDATE SET provider = EXCLUDED.provider
"""
SET_ADMINS = """
INSERT INTO organization_users (user_id, organization_id, provider, admin)
SELECT new.user_id, r.organization_id, false, new.holds
FROM unnest(%b::uuid[], %b::uuid[], %b::boolean[]) AS new(role_id, user_id, holds)
JOIN access_roles r USING (role_id) WHERE r.name = 'org.admin'
ON CONFLICT (user_id, organization_id) DO UPDATE SET admin = EXCLUDED.admin
"""
SET_SYSTEM_ROLE = """
UPDATE access_users u SET system_role = new.holds
FROM unnest(%b::uuid[], %b::uuid[], %b::boolean[]) AS new(role_id, user_id, holds)
JOIN access_roles r USING (role_id) WHERE r.name = 'carium.admin' AND u.user_id = new.user_id
"""
# Of those whose memberships changed, and of those in organizations whose classification may have changed (ruling O4).
SET_STAFF = """
UPDATE access_users u SET staff = NOT u.staff
WHERE u.classified
  AND (u.user_id = ANY(%(users)s) OR EXISTS (
    SELECT FROM organization_users m WHERE m.user_id = u.user_id AND m.organization_id = ANY(%(organizations)s)))
  AND u.staff <> EXISTS (
    SELECT FROM organization_users m JOIN access_organizations o USING (organization_id)
    WHERE m.user_id = u.user_id AND m.provider AND o.staffed)
"""
DROP_MEMBERSHIPS = "DELETE FROM organization_users WHERE user_id = ANY(%b::uuid[]) AND NOT provider AND NOT admin"

# The event tells the new owner only, so these two come before SET_OWNERS. An owner may lose several in one batch: the
# last one counts, and an UPDATE takes any of several rows.
_FORMER = """
FROM (
    SELECT i.owner_id, max(new.at) AS at, max(new.position) AS position
    FROM unnest(%b::uuid[], %b::timestamptz[], %b::bigint[]) AS new(id, at, position)
    JOIN access_individuals i ON i.individual_id = new.id GROUP BY i.owner_id
) AS former
"""
STAMP_FORMER_OWNERS = f"""
UPDATE access_users u
SET touched_at = greatest(u.touched_at, former.at), lost_at_position = greatest(u.lost_at_position, former.position)
{_FORMER} WHERE u.user_id = former.owner_id
"""
STAMP_FORMER_OWNING_ORGANIZATIONS = f"""
UPDATE access_organizations o
SET touched_at = greatest(o.touched_at, former.at), lost_at_position = greatest(o.lost_at_position, former.position)
{_FORMER} WHERE o.organization_id = former.owner_id
"""
# Counted is what is new of them.
SET_OWNERS = """
WITH counted AS (
    INSERT INTO access_totals (kind, total) SELECT 'individual', %b::bigint
    ON CONFLICT (kind) DO UPDATE SET total = access_totals.total + EXCLUDED.total
)
INSERT INTO access_individuals (individual_id, owner_id, touched_at)
SELECT * FROM unnest(%b::uuid[], %b::uuid[], %b::timestamptz[])
ON CONFLICT (individual_id) DO UPDATE SET owner_id = EXCLUDED.owner_id
"""
DISOWN = "UPDATE individual_organizations SET owned = false WHERE individual_id = ANY(%b::uuid[]) AND owned"
ADD_INDIVIDUAL_ORGANIZATIONS = """
WITH added AS (
    INSERT INTO individual_organizations (individual_id, organization_id, owned, shared)
    SELECT * FROM unnest(%b::uuid[], %b::uuid[], %b::boolean[], %b::boolean[])
    ON CONFLICT (individual_id, organization_id) DO NOTHING RETURNING organization_id, individual_id
), unplaced AS (
    INSERT INTO unplaced_individuals (organization_id, individual_id) SELECT organization_id, individual_id FROM added
    ON CONFLICT DO NOTHING
)
UPDATE access_organizations o SET individuals = o.individuals + new.number
FROM (SELECT organization_id, count(*) AS number FROM added GROUP BY organization_id) new
WHERE o.organization_id = new.organization_id
"""
OWN = """
UPDATE individual_organizations b SET owned = true
FROM unnest(%b::uuid[], %b::uuid[]) AS new(individual_id, organization_id)
WHERE (b.individual_id, b.organization_id) = (new.individual_id, new.organization_id) AND NOT b.owned
"""
SET_SHARED = """
UPDATE individual_organizations b SET shared = new.shared
FROM unnest(%b::uuid[], %b::uuid[], %b::boolean[]) AS new(individual_id, organization_id, shared)
WHERE (b.individual_id, b.organization_id) = (new.individual_id, new.organization_id) AND b.shared <> new.shared
"""
DROP_INDIVIDUAL_ORGANIZATIONS = """
WITH dropped AS (
    DELETE FROM individual_organizations WHERE individual_id = ANY(%b::uuid[]) AND NOT owned AND NOT shared
    RETURNING organization_id, individual_id
), unplaced AS (
    DELETE FROM unplaced_individuals u USING dropped d
    WHERE (u.organization_id, u.individual_id) = (d.organization_id, d.individual_id)
)
UPDATE access_organizations o SET individuals = o.individuals - gone.number
FROM (SELECT organization_id, count(*) AS number FROM dropped GROUP BY organization_id) gone
WHERE o.organization_id = gone.organization_id
"""
# So that those who have several organizations can be told how many individuals that makes without counting them all.
SET_SEVERAL = """
UPDATE individual_organizations b SET several = now.several
FROM (SELECT individual_id, count(*) > 1 AS several FROM individual_organizations
      WHERE individual_id = ANY(%b::uuid[]) GROUP BY individual_id) now
WHERE b.individual_id = now.individual_id AND b.several <> now.several
"""
SET_INDIVIDUAL_USERS = """
INSERT INTO individual_users (user_id, individual_id, writes)
SELECT * FROM unnest(%b::uuid[], %b::uuid[], %b::boolean[])
ON CONFLICT (user_id, individual_id) DO UPDATE SET writes = EXCLUDED.writes
"""
DROP_INDIVIDUAL_USERS = """
DELETE FROM individual_users WHERE (user_id, individual_id) IN (SELECT * FROM unnest(%b::uuid[], %b::uuid[]))
"""

ADD_GROUPS = """
INSERT INTO access_groups (group_id, organization_id, type, touched_at, moved_at)
SELECT id, organization_id, type, at, at
FROM unnest(%b::uuid[], %b::uuid[], %b::text[], %b::timestamptz[]) AS new(id, organization_id, type, at)
"""
ADD_TO_CLOSURE = """
INSERT INTO group_closure (descendant_id, ancestor_id) SELECT id, id FROM unnest(%b::uuid[]) AS new(id)
"""

# What left is no longer below those above it; their stamp has to tell that something left.
STAMP_FORMER_PARENT = """
UPDATE access_groups p SET touched_at = greatest(p.touched_at, %(at)s)
FROM access_groups g WHERE g.group_id = %(group)s AND p.group_id = g.parent_id
"""
LEAVE_ANCESTORS = """
DELETE FROM group_closure
WHERE descendant_id IN (SELECT descendant_id FROM group_closure WHERE ancestor_id = %(group)s)
  AND ancestor_id IN (SELECT ancestor_id FROM group_closure WHERE descendant_id = %(group)s)
  AND ancestor_id <> %(group)s
"""
ENTER_ANCESTORS = """
INSERT INTO group_closure (descendant_id, ancestor_id)
SELECT below.descendant_id, above.ancestor_id FROM group_closure below CROSS JOIN group_closure above
WHERE below.ancestor_id = %(group)s AND above.descendant_id = %(parent)s
"""
SET_PARENT = """
UPDATE access_groups SET parent_id = %(parent)s, moved_at = greatest(moved_at, %(at)s) WHERE group_id = %(group)s
"""
LEAVE_CLOSURE = "DELETE FROM group_closure WHERE descendant_id = %(group)s OR ancestor_id = %(group)s"
DEACTIVATE = "UPDATE access_groups SET active = false, moved_at = greatest(moved_at, %(at)s) WHERE group_id = %(group)s"

ADD_GROUP_USERS = """
INSERT INTO group_users (user_id, group_id, kind, organization_id)
SELECT * FROM unnest(%b::uuid[], %b::uuid[], %b::text[], %b::uuid[]) ON CONFLICT DO NOTHING
"""
DROP_GROUP_USERS = """
DELETE FROM group_users WHERE (user_id, group_id, kind) IN (SELECT * FROM unnest(%b::uuid[], %b::uuid[], %b::text[]))
"""
ADD_GROUP_INDIVIDUALS = """
WITH added AS (
    INSERT INTO group_individuals (individual_id, group_id, organization_id)
    SELECT * FROM unnest(%b::uuid[], %b::uuid[], %b::uuid[]) ON CONFLICT DO NOTHING
    RETURNING organization_id, individual_id
)
DELETE FROM unplaced_individuals u USING added a
WHERE (u.organization_id, u.individual_id) = (a.organization_id, a.individual_id)
"""
# All parts of the statement see the places as they were before it.
DROP_GROUP_INDIVIDUALS = """
WITH gone AS (
    DELETE FROM group_individuals WHERE (individual_id, group_id) IN (SELECT * FROM unnest(%b::uuid[], %b::uuid[]))
    RETURNING organization_id, individual_id, group_id
)
INSERT INTO unplaced_individuals (organization_id, individual_id)
SELECT organization_id, individual_id
FROM gone JOIN individual_organizations USING (organization_id, individual_id)
WHERE NOT EXISTS (
    SELECT FROM group_individuals p
    WHERE p.individual_id = gone.individual_id AND p.organization_id = gone.organization_id
      AND (p.individual_id, p.group_id) NOT IN (SELECT individual_id, group_id FROM gone))
ON CONFLICT DO NOTHING
"""

# All stamps of an append at once: as many statements would take as long as all that they are about.
STAMP = """
WITH users AS (
    UPDATE access_users t
    SET touched_at = greatest(t.touched_at, new.at), lost_at_position = greatest(t.lost_at_position, new.lost)
    FROM unnest(%(users)b::uuid[], %(users_at)b::timestamptz[], %(users_lost)b::bigint[]) AS new(id, at, lost)
    WHERE t.user_id = new.id
), individuals AS (
    UPDATE access_individuals t SET touched_at = greatest(t.touched_at, new.at)
    FROM unnest(%(individuals)b::uuid[], %(individuals_at)b::timestamptz[]) AS new(id, at)
    WHERE t.individual_id = new.id
), groups AS (
    UPDATE access_groups t SET touched_at = greatest(t.touched_at, new.at)
    FROM unnest(%(groups)b::uuid[], %(groups_at)b::timestamptz[]) AS new(id, at)
    WHERE t.group_id = new.id
)
UPDATE access_organizations t
SET touched_at = greatest(t.touched_at, new.touched), authorization_at = greatest(t.authorization_at, new.changed),
    lost_at_position = greatest(t.lost_at_position, new.lost)
FROM unnest(%(organizations)b::uuid[], %(touched)b::timestamptz[], %(changed)b::timestamptz[],
            %(lost)b::bigint[]) AS new(id, touched, changed, lost)
WHERE t.organization_id = new.id
"""
