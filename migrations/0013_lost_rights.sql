-- The position at which a user last lost a right. An append compares it with the position at which its command was
-- decided (ruling O7). No command that was decided before this migration is still running, so 0 is a correct beginning.

ALTER TABLE access_users ADD COLUMN lost_at_position bigint NOT NULL DEFAULT 0;
ALTER TABLE access_organizations ADD COLUMN lost_at_position bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN access_users.lost_at_position IS 'The position of the last event that removed a right of this user.';
COMMENT ON COLUMN access_organizations.lost_at_position IS
    'The position of the last event that may have removed a right of any user in this organization.';
CREATE INDEX access_organizations_by_loss ON access_organizations (lost_at_position);

UPDATE projections SET version = 2 WHERE name = 'authorization' AND version = 1;
