-- Sessions and the events that end them: see projections/sessions/sessions.py. The first table follows the sessions log,
-- the others follow the identity log.

CREATE TABLE sessions (
    session_id uuid NOT NULL CONSTRAINT sessions_pkey PRIMARY KEY,
    user_id uuid NOT NULL,
    kind text NOT NULL,
    organization_id uuid,
    opened_at timestamptz NOT NULL,
    opened_at_position bigint NOT NULL,
    expires_at timestamptz NOT NULL,
    queue_delay integer NOT NULL
);
COMMENT ON COLUMN sessions.kind IS 'How the session was opened: password, service or synthetic.';
COMMENT ON COLUMN sessions.opened_at_position IS 'The head of the identity log at that time; a later event that ends sessions ends this one.';
COMMENT ON COLUMN sessions.queue_delay IS 'Milliseconds by which jobs that the session requests are delayed.';
CREATE INDEX sessions_of_user ON sessions (user_id, opened_at);

CREATE TABLE revoked_sessions (
    session_id uuid NOT NULL CONSTRAINT revoked_sessions_pkey PRIMARY KEY
);

CREATE TABLE left_organizations (
    user_id uuid NOT NULL,
    organization_id uuid NOT NULL,
    left_at_position bigint NOT NULL,
    CONSTRAINT left_organizations_pkey PRIMARY KEY (user_id, organization_id)
);
COMMENT ON TABLE left_organizations IS 'The last time that a user left an organization: their earlier sessions there have ended, even if they joined again.';

GRANT SELECT, INSERT, UPDATE, DELETE ON sessions, revoked_sessions, left_organizations TO rollbook_app;
