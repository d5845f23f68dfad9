-- How far each follower of the log is, and rebuilds that are under way.

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
COMMENT ON TABLE projections IS 'A row for every projection and reaction. Inline ones are at the head by construction; their position is not kept.';
COMMENT ON COLUMN projections.version IS 'Of the code that built the tables; other code leaves them alone until they are rebuilt.';
COMMENT ON COLUMN projections.error IS 'Why it stands still: the kind of error and where, never a value. Null while it goes on.';
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
COMMENT ON TABLE rebuilds IS 'Copies in schema rebuild and how far they are; an interrupted rebuild goes on from here.';
COMMENT ON COLUMN rebuilds.shape IS 'Fingerprint of the definitions that the copies were made from.';

CREATE SCHEMA rebuild;
COMMENT ON SCHEMA rebuild IS 'Second copies of projections'' tables, until they take the place of the live ones.';
CREATE SCHEMA retired;
COMMENT ON SCHEMA retired IS 'Tables that a rebuilt copy has replaced, until they are dropped.';

GRANT SELECT, INSERT, UPDATE ON projections TO rollbook_app;
GRANT SELECT ON rebuilds TO rollbook_app;
