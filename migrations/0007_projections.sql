-- The position of each follower of a log, and running rebuilds.

CREATE TABLE projections (
    name text NOT NULL CONSTRAINT projections_pkey PRIMARY KEY,
    id uuid NOT NULL CONSTRAINT projections_id_key UNIQUE,
    classpath text NOT NULL,
    mode text NOT NULL CONSTRAINT projections_mode_check CHECK (mode IN ('inline', 'background')),
    log text NOT NULL CONSTRAINT projections_log_check CHECK (log IN ('identity', 'sessions')),
    version integer NOT NULL,
    position bigint NOT NULL DEFAULT 0,
    error text,
    failed_position bigint,
    failed_event text,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_poll_at timestamptz
) WITH (fillfactor = 50);
COMMENT ON TABLE projections IS 'A row for every projection and reaction. Inline projections are always at the head; their position is not stored.';
COMMENT ON COLUMN projections.version IS 'The version of the code that built the tables; a worker of another version does not update them.';
COMMENT ON COLUMN projections.error IS 'Why the projection has stopped: class and place of the error, never a value. Null while it works.';
COMMENT ON COLUMN projections.failed_event IS 'originator id/version of the event at failed_position.';

CREATE TABLE rebuilds (
    name text NOT NULL CONSTRAINT rebuilds_pkey PRIMARY KEY CONSTRAINT rebuilds_name_fkey REFERENCES projections,
    version integer NOT NULL,
    shape text NOT NULL,
    phase text NOT NULL,
    position bigint NOT NULL DEFAULT 0,
    rate double precision,
    started_at timestamptz NOT NULL DEFAULT now(),
    alive_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
COMMENT ON TABLE rebuilds IS 'Positions of the copies in the schema rebuild; an interrupted rebuild continues from them.';
COMMENT ON COLUMN rebuilds.shape IS 'Hash of the table definitions from which the copies were created.';

CREATE SCHEMA rebuild;
COMMENT ON SCHEMA rebuild IS 'Copies of projections'' tables, until they are swapped with the live tables.';
CREATE SCHEMA retired;
COMMENT ON SCHEMA retired IS 'Tables that a rebuilt copy has replaced, until they are dropped.';

GRANT SELECT, INSERT, UPDATE ON projections TO rollbook_app;
GRANT SELECT ON rebuilds TO rollbook_app;
