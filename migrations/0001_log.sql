-- The two logs, their head rows and snapshots, and the data keys of persons.

CREATE TABLE log_head (
    log text NOT NULL CONSTRAINT log_head_pkey PRIMARY KEY,
    position bigint NOT NULL
);
COMMENT ON TABLE log_head IS 'One row per log, both lock and counter: it makes positions gap-free and commit-ordered.';
INSERT INTO log_head (log, position) VALUES ('identity', 0), ('sessions', 0);

-- The first five columns are those of the eventsourcing library, so that its tools can read the log.
CREATE TABLE events (
    originator_id uuid NOT NULL,
    originator_version bigint NOT NULL,
    notification_id bigint NOT NULL,
    topic text NOT NULL,
    state bytea NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    actor uuid,
    organization_id uuid,
    correlation_id text,
    append_id uuid,
    CONSTRAINT events_pkey PRIMARY KEY (originator_id, originator_version)
);
CREATE UNIQUE INDEX events_notification_id ON events (notification_id);

CREATE TABLE snapshots (
    originator_id uuid NOT NULL,
    originator_version bigint NOT NULL,
    topic text NOT NULL,
    state bytea NOT NULL,
    CONSTRAINT snapshots_pkey PRIMARY KEY (originator_id, originator_version)
);

CREATE TABLE session_events (LIKE events INCLUDING DEFAULTS INCLUDING COMMENTS);
ALTER TABLE session_events ADD CONSTRAINT session_events_pkey PRIMARY KEY (originator_id, originator_version);
CREATE UNIQUE INDEX session_events_notification_id ON session_events (notification_id);

CREATE TABLE session_snapshots (LIKE snapshots);
ALTER TABLE session_snapshots ADD CONSTRAINT session_snapshots_pkey PRIMARY KEY (originator_id, originator_version);

CREATE TABLE data_keys (
    subject uuid NOT NULL CONSTRAINT data_keys_pkey PRIMARY KEY,
    wrapped bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    destroyed_at timestamptz
);
COMMENT ON COLUMN data_keys.wrapped IS 'The data key, wrapped by the master key; null after its destruction: the row prevents a new key.';

GRANT SELECT, UPDATE ON log_head TO rollbook_app;
GRANT SELECT, INSERT ON events, snapshots, session_events, session_snapshots TO rollbook_app;
GRANT SELECT, INSERT, UPDATE ON data_keys TO rollbook_app;
