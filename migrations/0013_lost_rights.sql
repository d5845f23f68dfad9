-- Where in the log somebody last lost a right: what an append compares with the position that its command was decided at
-- (ruling O7). Nothing was decided before this, so nobody is taken to have lost anything yet.

ALTER TABLE access_users ADD COLUMN lost_at_position bigint NOT NULL DEFAULT 0;
ALTER TABLE access_organizations ADD COLUMN lost_at_position bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN access_users.lost_at_position IS 'Of the last event that took a right of this user away.';
COMMENT ON COLUMN access_organizations.lost_at_position IS
    'Of the last event that may have taken a right away from anybody who has one in this organization.';
CREATE INDEX access_organizations_by_loss ON access_organizations (lost_at_position);

UPDATE projections SET version = 2 WHERE name = 'authorization' AND version = 1;
