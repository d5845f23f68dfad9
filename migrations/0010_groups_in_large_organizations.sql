-- Lists of groups, rosters and logs in large organizations: a page reads the rows that it shows, a total only an index.

-- The indexes include the columns of filters, so that rows that are only counted or filtered out are not fetched.
DROP INDEX groups_of_organization;
CREATE INDEX groups_of_organization
    ON groups (organization_id, name_key, group_id) INCLUDE (type, active, child_count);
DROP INDEX groups_by_modified;
CREATE INDEX groups_by_modified ON groups (modified_at, group_id) INCLUDE (type, active, organization_id);
DROP INDEX groups_of_organization_by_modified;
CREATE INDEX groups_of_organization_by_modified
    ON groups (organization_id, modified_at, group_id) INCLUDE (type, active);

-- Partial indexes for kinds of groups that may be rare.
CREATE INDEX groups_for_providers
    ON groups (organization_id, name_key, group_id) INCLUDE (active) WHERE type = 'provider_only';
CREATE INDEX groups_divisions
    ON groups (organization_id, name_key, group_id) INCLUDE (type, active) WHERE node_type = 'division';
CREATE INDEX groups_with_children
    ON groups (organization_id, name_key, group_id) INCLUDE (type, active) WHERE child_count > 0;
CREATE INDEX groups_at_the_top
    ON groups (organization_id, name_key, group_id) INCLUDE (type, active) WHERE parent_id IS NULL;
CREATE INDEX access_groups_inactive ON access_groups (organization_id, group_id) WHERE NOT active;

-- Logs only grow, so their lengths are stored. The lock prevents writes between counting and setting the new version;
-- after that, workers of the previous version do not write the logs any more.
CREATE INDEX group_logs_of_providers ON group_logs (group_id, position DESC) WHERE subject <> 'individual';
LOCK TABLE group_logs IN SHARE ROW EXCLUSIVE MODE;
CREATE TABLE group_log_totals (
    group_id uuid NOT NULL,
    organization_id uuid NOT NULL,
    subject text NOT NULL,
    total bigint NOT NULL,
    CONSTRAINT group_log_totals_pkey PRIMARY KEY (group_id, subject)
) WITH (fillfactor = 50);
COMMENT ON COLUMN group_log_totals.group_id IS 'The group, or the organization for the logs of all its groups together.';
INSERT INTO group_log_totals (group_id, organization_id, subject, total)
SELECT coalesce(group_id, organization_id), organization_id, subject, count(*) FROM group_logs
GROUP BY GROUPING SETS ((group_id, organization_id, subject), (organization_id, subject));
UPDATE projections SET version = 2 WHERE name = 'group_logs' AND version = 1;

GRANT SELECT, INSERT, UPDATE, DELETE ON group_log_totals TO rollbook_app;

-- The individuals of each organization that are in none of its rosters, written inline. The computed group "Unassigned"
-- contains them, and those that are only in inactive groups.
CREATE TABLE unplaced_individuals (
    organization_id uuid NOT NULL,
    individual_id uuid NOT NULL,
    CONSTRAINT unplaced_individuals_pkey PRIMARY KEY (organization_id, individual_id)
);
INSERT INTO unplaced_individuals (organization_id, individual_id)
SELECT b.organization_id, b.individual_id FROM individual_organizations b
WHERE NOT EXISTS (
    SELECT FROM group_individuals p
    WHERE p.individual_id = b.individual_id AND p.organization_id = b.organization_id);

GRANT SELECT, INSERT, UPDATE, DELETE ON unplaced_individuals TO rollbook_app;
