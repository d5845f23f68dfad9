-- The position of each follower of a log, and running rebuilds.

CREATE TABLE projections (
    name text NOT NULL CONSTRAINT projections_pkey PRIMARY KEY,
    id uuid NOT NULL CONSTRAINT projections_id_key UNIQUE,
    classpath text NOT NULL,
    mode text NOT NULL CONSTRAINT projections_mode_check CHECK (mode IN ('inline', 'background')),
    log text NOT NULL CONSTRAINT projections_log_fkey REFERENCES log_head,
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

-- Parts do not log in as the owner of the tables, so this function of the owner deletes old events for them.
CREATE FUNCTION forget_old_events(of_log text, days integer, most integer, copies text[])
    RETURNS TABLE (forgotten bigint, streams uuid[])
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    events text := of_log || '_events';
    "end" bigint;
    copy text;
BEGIN
    IF of_log = 'identity' OR days < 31 OR most < 1 THEN
        RAISE EXCEPTION 'the identity log is kept for ever, others for at least 31 days'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- Deletes a complete beginning of the log, so that the rest has no gaps: times of several processes are not in order.
    EXECUTE format($query$
        SELECT coalesce((
            SELECT notification_id - 1 FROM %I
            WHERE recorded_at >= now() - make_interval(days => $1) ORDER BY notification_id LIMIT 1
        ), position) FROM log_head WHERE log = $2
    $query$, events) INTO STRICT "end" USING days, of_log;
    EXECUTE format($query$
        WITH gone AS (
            DELETE FROM %1$I WHERE notification_id IN (
                SELECT notification_id FROM %1$I WHERE notification_id <= $1 ORDER BY notification_id LIMIT $2
            ) RETURNING originator_id, originator_version
        ), snapshots AS (
            DELETE FROM %2$I WHERE originator_id IN (SELECT originator_id FROM gone WHERE originator_version = 1)
        )
        SELECT count(*), coalesce(array_agg(originator_id) FILTER (WHERE originator_version = 1), '{}') FROM gone
    $query$, events, of_log || '_snapshots') INTO forgotten, streams USING "end", most;
    IF forgotten > 0 THEN -- the copy of an interrupted rebuild contains deleted events, so the rebuild starts again
        DELETE FROM rebuilds WHERE name IN (SELECT name FROM projections WHERE log = of_log);
        FOREACH copy IN ARRAY copies LOOP
            EXECUTE format('DROP TABLE IF EXISTS rebuild.%I', copy);
        END LOOP;
    END IF;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION forget_old_events IS
    'Deletes up to `most` events older than `days` from the beginning of a log, and the `copies` of interrupted rebuilds; returns the number of events and the streams that began with them.';
REVOKE ALL ON FUNCTION forget_old_events(text, integer, integer, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION forget_old_events(text, integer, integer, text[]) TO rollbook_app;

GRANT SELECT, INSERT, UPDATE ON projections TO rollbook_app;
GRANT SELECT ON rebuilds TO rollbook_app;
