-- The tables that decide access. projections/access/authorization.py writes them in the transaction of each append.
-- touched_at, authorization_at and moved_at are times of events, for authz-user-status: see projections/access/status.py.

CREATE TABLE access_users (
    user_id uuid PRIMARY KEY,
    service_name text,                       -- of service accounts only; app.<name> is compared with it
    classified boolean NOT NULL DEFAULT false, -- has the operator's classification; staff in a staffed organization
    staff boolean NOT NULL,
    system_role boolean NOT NULL DEFAULT false,
    confirmed boolean NOT NULL DEFAULT false,
    enabled boolean NOT NULL DEFAULT true,
    reset_required boolean NOT NULL DEFAULT false,
    archived boolean NOT NULL DEFAULT false,
    live boolean NOT NULL GENERATED ALWAYS AS (confirmed AND enabled AND NOT reset_required AND NOT archived) STORED,
    -- a system administrator or a service account
    unlimited boolean NOT NULL GENERATED ALWAYS AS (service_name IS NOT NULL OR (staff AND system_role)) STORED,
    sessions_ended_at_position bigint NOT NULL DEFAULT 0, -- position of the last event that ended all sessions
    lost_at_position bigint NOT NULL DEFAULT 0, -- position of the last event that removed a right of the user (ruling O7)
    touched_at timestamptz NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX access_users_classified ON access_users (user_id) WHERE classified;
-- live users without a status that grants rights, for lists of accessors
CREATE INDEX access_users_ordinary ON access_users (user_id) WHERE live AND NOT staff AND service_name IS NULL;

CREATE TABLE access_organizations (
    organization_id uuid PRIMARY KEY,
    open boolean NOT NULL,
    active boolean NOT NULL DEFAULT true,
    staffed boolean NOT NULL DEFAULT false,  -- has the operator's classification: its providers of that one are staff
    individuals bigint NOT NULL DEFAULT 0,   -- rows of individual_organizations
    lost_at_position bigint NOT NULL DEFAULT 0, -- of the last event that may have removed a right of any user here
    touched_at timestamptz NOT NULL,         -- of the last change of its individuals, their roster entries or its groups
    authorization_at timestamptz NOT NULL    -- of the last change of what its providers may do
) WITH (fillfactor = 50);
CREATE INDEX access_organizations_by_loss ON access_organizations (lost_at_position);

CREATE TABLE access_roles (
    role_id uuid PRIMARY KEY,
    organization_id uuid NOT NULL,
    name text NOT NULL
);

CREATE TABLE organization_users (
    user_id uuid NOT NULL,
    organization_id uuid NOT NULL,
    provider boolean NOT NULL,
    admin boolean NOT NULL,
    PRIMARY KEY (user_id, organization_id)
);
CREATE UNIQUE INDEX organization_users_by_organization
    ON organization_users (organization_id, user_id) INCLUDE (provider, admin);
-- an organization has few administrators
CREATE INDEX organization_users_admins ON organization_users (organization_id, user_id) WHERE admin;

CREATE TABLE access_individuals (
    individual_id uuid PRIMARY KEY,
    owner_id uuid NOT NULL,                  -- a user or an organization
    touched_at timestamptz NOT NULL
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX access_individuals_by_owner ON access_individuals (owner_id, individual_id);

CREATE TABLE individual_organizations (
    individual_id uuid NOT NULL,
    organization_id uuid NOT NULL,
    owned boolean NOT NULL,
    shared boolean NOT NULL,
    several boolean NOT NULL DEFAULT false,  -- the individual belongs to another organization too
    PRIMARY KEY (individual_id, organization_id)
);
CREATE UNIQUE INDEX individual_organizations_by_organization
    ON individual_organizations (organization_id, individual_id) INCLUDE (several);
CREATE INDEX individual_organizations_several ON individual_organizations (organization_id, individual_id) WHERE several;

CREATE TABLE individual_users (
    user_id uuid NOT NULL,
    individual_id uuid NOT NULL,
    writes boolean NOT NULL,
    PRIMARY KEY (user_id, individual_id)
);
CREATE UNIQUE INDEX individual_users_by_individual ON individual_users (individual_id, user_id) INCLUDE (writes);

CREATE TABLE access_groups (
    group_id uuid PRIMARY KEY,
    organization_id uuid NOT NULL,
    type text NOT NULL,
    active boolean NOT NULL DEFAULT true,
    parent_id uuid,
    system boolean NOT NULL GENERATED ALWAYS AS (type IN ('all_participants', 'unassigned')) STORED,
    touched_at timestamptz NOT NULL,         -- concerns users in its rosters and in those of its ancestors
    moved_at timestamptz NOT NULL            -- concerns users in its rosters and in those of ancestors and descendants
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX access_groups_by_organization ON access_groups (organization_id, group_id);
CREATE INDEX access_groups_inactive ON access_groups (organization_id, group_id) WHERE NOT active;

-- Each active group that is not computed, with itself and with each of its ancestors.
CREATE TABLE group_closure (
    descendant_id uuid NOT NULL,
    ancestor_id uuid NOT NULL,
    PRIMARY KEY (descendant_id, ancestor_id)
);
CREATE UNIQUE INDEX group_closure_by_ancestor ON group_closure (ancestor_id, descendant_id);

CREATE TABLE group_users (
    user_id uuid NOT NULL,
    group_id uuid NOT NULL,
    kind text NOT NULL,                      -- leader, member
    organization_id uuid NOT NULL,
    PRIMARY KEY (user_id, group_id, kind),
    CONSTRAINT group_users_of_the_organization FOREIGN KEY (user_id, organization_id)
        REFERENCES organization_users (user_id, organization_id) DEFERRABLE INITIALLY DEFERRED
);
CREATE UNIQUE INDEX group_users_by_group ON group_users (group_id, kind, user_id);

-- Because of the foreign keys a person who does not belong to the organization cannot be in a roster. They are deferred,
-- because one append may end both the membership or share and the roster entry.
CREATE TABLE group_individuals (
    individual_id uuid NOT NULL,
    group_id uuid NOT NULL,
    organization_id uuid NOT NULL,
    PRIMARY KEY (individual_id, group_id),
    CONSTRAINT group_individuals_of_the_organization FOREIGN KEY (individual_id, organization_id)
        REFERENCES individual_organizations (individual_id, organization_id) DEFERRABLE INITIALLY DEFERRED
);
CREATE UNIQUE INDEX group_individuals_by_group ON group_individuals (group_id, individual_id) INCLUDE (organization_id);

-- The individuals of each organization that are in none of its rosters. The computed group "Unassigned" contains them, and
-- those that are only in inactive groups.
CREATE TABLE unplaced_individuals (
    organization_id uuid NOT NULL,
    individual_id uuid NOT NULL,
    CONSTRAINT unplaced_individuals_pkey PRIMARY KEY (organization_id, individual_id)
);

-- Total numbers, so that lists of users who may see everything need not count.
CREATE TABLE access_totals (
    kind text PRIMARY KEY,
    total bigint NOT NULL
) WITH (fillfactor = 50);

-- Roles (background) and role users (inline), as lists show them.
CREATE TABLE roles (
    role_id uuid NOT NULL CONSTRAINT roles_pkey PRIMARY KEY,
    organization_id uuid NOT NULL,
    name text NOT NULL COLLATE "C",
    display_name text NOT NULL
);
CREATE INDEX roles_by_organization ON roles (organization_id);
CREATE INDEX roles_by_name ON roles (name, role_id);

CREATE TABLE role_users (
    role_id uuid NOT NULL,
    user_id uuid NOT NULL,
    number bigint NOT NULL CONSTRAINT role_users_number_key UNIQUE,
    CONSTRAINT role_users_pkey PRIMARY KEY (role_id, user_id)
);
COMMENT ON COLUMN role_users.number IS 'The position of the event that granted the role; the contract calls it the id.';

GRANT SELECT, INSERT, UPDATE, DELETE ON
    access_users, access_organizations, access_roles, organization_users, access_individuals, individual_organizations,
    individual_users, access_groups, group_closure, group_users, group_individuals, unplaced_individuals,
    access_totals, roles, role_users
TO rollbook_app;
