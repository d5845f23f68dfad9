-- The life of an account: codes that were tried, sessions that outlive a change of password, and login names.

-- The tries of confirmation and reset codes. They are no events: adapters/security/code_tries.py counts them.
CREATE TABLE code_tries (
    message_id uuid NOT NULL CONSTRAINT code_tries_pkey PRIMARY KEY,
    tries smallint NOT NULL,
    tried_at timestamptz NOT NULL
);
COMMENT ON TABLE code_tries IS 'How often somebody tried each code, by the id of the message that carries it.';
CREATE INDEX code_tries_by_time ON code_tries (tried_at);

-- A required reset of the password only stops the user from logging in (ruling K64).
DROP INDEX access_users_ordinary;
ALTER TABLE access_users DROP COLUMN live;
ALTER TABLE access_users
    ADD COLUMN live boolean NOT NULL GENERATED ALWAYS AS (confirmed AND enabled AND NOT archived) STORED,
    ADD COLUMN kept_session_id uuid; -- the session that did not end with the others at sessions_ended_at_position
CREATE INDEX access_users_ordinary ON access_users (user_id) WHERE live AND NOT staff AND service_name IS NULL;

ALTER TABLE users ADD COLUMN own_username text, ADD COLUMN login_contact text,
    ADD COLUMN assumed_locale text, ADD COLUMN assumed_tz text;
COMMENT ON COLUMN users.username IS 'The login name: the chosen contact, or else the user name, the e-mail address or the number.';
COMMENT ON COLUMN users.own_username IS 'The user name that is neither an address nor a number.';
COMMENT ON COLUMN users.login_contact IS 'email or phone when the user chose that contact as their login name.';

COMMENT ON COLUMN users.assumed_locale IS 'What a client told; it counts until the user chooses a locale.';

GRANT SELECT, INSERT, UPDATE, DELETE ON code_tries TO rollbook_app;
