-- The two logs, their head rows and snapshots, and the data keys of persons. A further log is a row in log_head and two
-- tables with its name.

CREATE TABLE log_head (
    log text NOT NULL CONSTRAINT log_head_pkey PRIMARY KEY,
    position bigint NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT '-infinity',
    inline_projections text,
    inline_order integer[]
);
COMMENT ON TABLE log_head IS 'One row per log, both lock and counter: it makes positions gap-free and commit-ordered.';
COMMENT ON COLUMN log_head.recorded_at IS 'The time of the last event; the next event is at least a microsecond later.';
COMMENT ON COLUMN log_head.inline_projections IS
    'Names and versions, declared by the newest version that has started; a process with another set may not append.';
COMMENT ON COLUMN log_head.inline_order IS 'The order of versions: the number of the last migration, then the sum of the projections'' versions.';
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

CREATE TABLE sessions_events (LIKE events INCLUDING DEFAULTS INCLUDING COMMENTS);
ALTER TABLE sessions_events ADD CONSTRAINT sessions_events_pkey PRIMARY KEY (originator_id, originator_version);
CREATE UNIQUE INDEX sessions_events_notification_id ON sessions_events (notification_id);

CREATE TABLE sessions_snapshots (LIKE snapshots);
ALTER TABLE sessions_snapshots ADD CONSTRAINT sessions_snapshots_pkey PRIMARY KEY (originator_id, originator_version);

CREATE TABLE data_keys (
    subject uuid NOT NULL CONSTRAINT data_keys_pkey PRIMARY KEY,
    key_id uuid NOT NULL DEFAULT gen_random_uuid(),
    wrapped bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    destroyed_at timestamptz
);
COMMENT ON COLUMN data_keys.key_id IS
    'Part of the associated data of all values that are encrypted with the key; a rotation of the master key keeps it.';
COMMENT ON COLUMN data_keys.wrapped IS 'The data key, wrapped by the master key; null after its destruction: the row prevents a new key.';

CREATE FUNCTION recorded_at(of_log text, at_position bigint) RETURNS timestamptz
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    found timestamptz;
BEGIN
    EXECUTE format('SELECT recorded_at FROM %I WHERE notification_id = $1',
                   CASE of_log WHEN 'identity' THEN 'events' ELSE of_log || '_events' END)
    INTO found USING at_position;
    RETURN found;
END $$;
COMMENT ON FUNCTION recorded_at IS 'The time of the event at a position of a log; null if there is no such event.';

-- Events are append-only; a snapshot can be computed from them again.
GRANT SELECT, UPDATE ON log_head TO rollbook_app;
GRANT SELECT, INSERT ON events, sessions_events TO rollbook_app;
GRANT SELECT, INSERT, DELETE ON snapshots, sessions_snapshots TO rollbook_app;
GRANT SELECT, INSERT, UPDATE ON data_keys TO rollbook_app;
GRANT EXECUTE ON FUNCTION recorded_at(text, bigint) TO rollbook_app;
