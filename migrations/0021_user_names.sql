-- Users are found by the beginning of a name, of both names together, or of their address (ruling K76).

ALTER TABLE users ADD COLUMN full_name_key text COLLATE "C"
    GENERATED ALWAYS AS (first_name_key || ' ' || last_name_key) STORED;
COMMENT ON COLUMN users.full_name_key IS 'The first and the last name; NULL without one of them.';

-- with the users, so that a search looks up few of them in indexes alone
CREATE INDEX users_by_full_name ON users (full_name_key, user_id);
DROP INDEX users_by_email_text;
CREATE INDEX users_by_email_text ON users (email_text, user_id);

-- with the columns by which lists of all users filter, so that lists in the order of names read no rows that they skip
DROP INDEX users_by_email, users_by_first_name, users_by_last_name;
CREATE INDEX users_by_email ON users (email_key, user_id)
    INCLUDE (account_type, classification, enabled, email_verified, registration_invite, listed, archived);
CREATE INDEX users_by_first_name ON users (first_name_key, user_id)
    INCLUDE (account_type, classification, enabled, email_verified, registration_invite, listed, archived);
CREATE INDEX users_by_last_name ON users (last_name_key, user_id)
    INCLUDE (account_type, classification, enabled, email_verified, registration_invite, listed, archived);
