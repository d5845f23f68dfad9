-- Sessions and what ends them: see projections/sessions/sessions.py. The first table follows the log of the sessions, the others
-- that of the identities.

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
COMMENT ON COLUMN sessions.kind IS 'How it was opened: password, service or synthetic.';
COMMENT ON COLUMN sessions.opened_at_position IS 'How far the identity log was then; what ends sessions later ends this one.';
COMMENT ON COLUMN sessions.queue_delay IS 'Milliseconds by which background jobs of the session are delayed on purpose.';
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
COMMENT ON TABLE left_organizations IS 'When somebody last left: sessions there that were opened before have ended, also if he is back.';

GRANT SELECT, INSERT, UPDATE, DELETE ON sessions, revoked_sessions, left_organizations TO rollbook_app;
