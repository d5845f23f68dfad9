-- The error of the last attempt of a job, for `rollbook jobs list`: its class and place in the code, not its text.

CREATE TABLE job_failures (
    job_id bigint PRIMARY KEY REFERENCES procrastinate_jobs ON DELETE CASCADE,
    error text NOT NULL
);
GRANT SELECT, INSERT, UPDATE, DELETE ON job_failures TO rollbook_app;

-- Messages that invite people. The worker regularly looks for pending ones that have no job any more.
CREATE TABLE invitations (
    message_id uuid NOT NULL CONSTRAINT invitations_pkey PRIMARY KEY,
    request_id uuid NOT NULL,
    channel text NOT NULL,
    pending boolean NOT NULL,
    issued_position bigint NOT NULL
);
CREATE INDEX invitations_pending ON invitations (message_id) WHERE pending;
GRANT SELECT, INSERT, UPDATE, DELETE ON invitations TO rollbook_app;

-- A further log is a row in log_head and two tables with its name.
ALTER TABLE session_events RENAME TO sessions_events;
ALTER TABLE session_snapshots RENAME TO sessions_snapshots;
GRANT SELECT, INSERT ON sessions_events TO rollbook_app;
GRANT SELECT, INSERT, DELETE ON sessions_snapshots TO rollbook_app;

ALTER TABLE projections DROP CONSTRAINT projections_log_check,
    ADD CONSTRAINT projections_log_fkey FOREIGN KEY (log) REFERENCES log_head;

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
GRANT EXECUTE ON FUNCTION recorded_at(text, bigint) TO rollbook_app;

DROP FUNCTION forget_old_sessions(integer, integer);
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
