-- Groups, their logs and tasks, as lists and details show them. The background projections in projections/groups/ write
-- these tables: groups.py, group_logs.py and tasks.py. Rosters are in the tables that decide access.

CREATE TABLE groups (
    group_id uuid NOT NULL CONSTRAINT groups_pkey PRIMARY KEY,
    organization_id uuid NOT NULL,
    name text NOT NULL,
    name_key text COLLATE "C" NOT NULL,
    node_type text NOT NULL,
    type text NOT NULL,
    tags text[] NOT NULL,
    active boolean NOT NULL DEFAULT true,
    parent_id uuid,
    individuals_count bigint NOT NULL DEFAULT 0,
    child_count bigint NOT NULL DEFAULT 0,
    modified_at timestamptz NOT NULL
) WITH (fillfactor = 80);
COMMENT ON COLUMN groups.name_key IS 'The folded name, by which lists are sorted and searched.';
COMMENT ON COLUMN groups.individuals_count IS 'Individuals in the roster; those of the computed groups are counted in each request.';
COMMENT ON COLUMN groups.modified_at IS
    'Grows with the position, so a client that requests all rows after the latest time it knows misses none.';
-- The indexes include the columns of filters, so that rows that are only counted or filtered out are not fetched.
CREATE INDEX groups_by_name ON groups (name_key, group_id) INCLUDE (type, active, organization_id);
CREATE INDEX groups_of_organization
    ON groups (organization_id, name_key, group_id) INCLUDE (type, active, child_count);
CREATE INDEX groups_by_modified ON groups (modified_at, group_id) INCLUDE (type, active, organization_id);
CREATE INDEX groups_of_organization_by_modified
    ON groups (organization_id, modified_at, group_id) INCLUDE (type, active);
CREATE INDEX groups_by_parent ON groups (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX groups_computed ON groups (organization_id, type) WHERE type IN ('all_participants', 'unassigned');
CREATE INDEX groups_by_tags ON groups USING gin (tags);
-- Partial indexes for kinds of groups that may be rare.
CREATE INDEX groups_for_providers
    ON groups (organization_id, name_key, group_id) INCLUDE (active) WHERE type = 'provider_only';
CREATE INDEX groups_divisions
    ON groups (organization_id, name_key, group_id) INCLUDE (type, active) WHERE node_type = 'division';
CREATE INDEX groups_with_children
    ON groups (organization_id, name_key, group_id) INCLUDE (type, active) WHERE child_count > 0;
CREATE INDEX groups_at_the_top
    ON groups (organization_id, name_key, group_id) INCLUDE (type, active) WHERE parent_id IS NULL;

-- Numbers of groups, so that a list without other filters need not count them.
CREATE TABLE group_totals (
    organization_id uuid NOT NULL,
    type text NOT NULL,
    node_type text NOT NULL,
    active boolean NOT NULL,
    total bigint NOT NULL,
    CONSTRAINT group_totals_pkey PRIMARY KEY (organization_id, type, node_type, active)
) WITH (fillfactor = 50);

CREATE TABLE group_logs (
    log_id uuid NOT NULL CONSTRAINT group_logs_pkey PRIMARY KEY,
    position bigint NOT NULL,
    group_id uuid NOT NULL,
    organization_id uuid NOT NULL,
    event text NOT NULL,
    subject text NOT NULL,
    subject_id uuid NOT NULL,
    created_by uuid,
    created_at timestamptz NOT NULL
);
COMMENT ON COLUMN group_logs.subject_id IS 'The id of an individual, or of a user for leaders and members.';
CREATE INDEX group_logs_of_group ON group_logs (group_id, position DESC);
CREATE INDEX group_logs_of_subject ON group_logs (subject_id, position DESC);
CREATE INDEX group_logs_of_organization ON group_logs (organization_id, position DESC) INCLUDE (group_id, subject);
CREATE INDEX group_logs_of_providers ON group_logs (group_id, position DESC) WHERE subject <> 'individual';

-- Logs only grow, so their lengths are stored.
CREATE TABLE group_log_totals (
    group_id uuid NOT NULL,
    organization_id uuid NOT NULL,
    subject text NOT NULL,
    total bigint NOT NULL,
    CONSTRAINT group_log_totals_pkey PRIMARY KEY (group_id, subject)
) WITH (fillfactor = 50);
COMMENT ON COLUMN group_log_totals.group_id IS 'The group, or the organization for the logs of all its groups together.';

CREATE TABLE tasks (
    task_id uuid NOT NULL CONSTRAINT tasks_pkey PRIMARY KEY,
    organization_id uuid,
    kind text NOT NULL,
    state text NOT NULL,
    requested_position bigint,
    created_by uuid,
    created_at timestamptz NOT NULL,
    finished_at timestamptz,
    finished_position bigint,
    error text
);
-- The worker regularly looks for moves that have no job any more.
CREATE INDEX tasks_pending ON tasks (task_id) WHERE state = 'pending';

GRANT SELECT, INSERT, UPDATE, DELETE ON groups, group_totals, group_logs, group_log_totals, tasks TO rollbook_app;
