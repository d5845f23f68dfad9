-- Names of users by their kind, and lists that hide only users who may not log in and have no verified contact.

-- The hashes depend on the key of the installation: `rollbook rebuild identifiers open_onboarding_requests` computes them.
DELETE FROM user_identifiers;
ALTER TABLE user_identifiers
    DROP COLUMN email,
    DROP COLUMN phone,
    DROP COLUMN username,
    ADD COLUMN kind text NOT NULL;
CREATE INDEX user_identifiers_by_user ON user_identifiers (user_id, kind);
COMMENT ON TABLE user_identifiers IS
    'Keyed hashes of all names that a user may log in with. Each kind of name (email, phone, username) is a namespace.';

ALTER TABLE users
    ADD COLUMN listed boolean NOT NULL GENERATED ALWAYS AS (confirmed OR email_verified OR phone_verified) STORED;
COMMENT ON COLUMN users.listed IS 'Lists show these users by default: they may log in or have a verified contact.';
DROP INDEX users_listed;
CREATE INDEX users_listed ON users (user_id) INCLUDE (account_type) WHERE listed AND NOT archived;

ALTER TABLE organization_people RENAME COLUMN verified TO listed;
UPDATE organization_people p SET listed = u.listed FROM users u WHERE u.user_id = p.user_id AND p.listed <> u.listed;
