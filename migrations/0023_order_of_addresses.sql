-- Lists by e-mail address are in the order of the addresses as they are shown (ruling K77): in the order of `email_key`,
-- internationalized domains would stand under "xn--".

DROP INDEX users_by_email, users_by_email_text;
CREATE INDEX users_by_email ON users (email_key);
CREATE INDEX users_by_email_text ON users (email_text, user_id)
    INCLUDE (account_type, classification, enabled, email_verified, registration_invite, listed, archived);
COMMENT ON COLUMN users.email_text IS 'The address for prefix search and order: folded, as typed.';

ALTER TABLE organization_people ADD COLUMN email_text text COLLATE "C";
UPDATE organization_people p SET email_text = u.email_text FROM users u WHERE u.user_id = p.user_id;
ALTER TABLE organization_people DROP COLUMN email_key;  -- with its index
CREATE INDEX organization_people_by_email ON organization_people (organization_id, email_text, user_id)
    INCLUDE (provider, listed, archived);
