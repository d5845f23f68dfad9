-- The parts no longer log in as the owner, so this function of the owner deletes old logins for them.

CREATE FUNCTION forget_old_sessions(days integer, most integer) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    "end" bigint;
    forgotten bigint;
BEGIN
    IF days < 31 OR most < 1 THEN
        RAISE EXCEPTION 'logins are kept for at least 31 days' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- Deletes a complete beginning of the log, so that the rest has no gaps: times of several processes are not in order.
    SELECT coalesce((
        SELECT notification_id - 1 FROM session_events
        WHERE recorded_at >= now() - make_interval(days => days) ORDER BY notification_id LIMIT 1
    ), position) INTO "end" FROM log_head WHERE log = 'sessions';
    WITH gone AS (
        DELETE FROM session_events WHERE notification_id IN (
            SELECT notification_id FROM session_events WHERE notification_id <= "end"
            ORDER BY notification_id LIMIT most
        ) RETURNING originator_id, originator_version
    ), opened AS (
        SELECT originator_id FROM gone WHERE originator_version = 1
    ), snapshots AS (
        DELETE FROM session_snapshots WHERE originator_id IN (SELECT originator_id FROM opened)
    ), projected AS (
        DELETE FROM sessions WHERE session_id IN (SELECT originator_id FROM opened)
    )
    SELECT count(*) INTO forgotten FROM gone;
    IF forgotten > 0 THEN -- the copy of an interrupted rebuild contains deleted sessions, so the rebuild starts again
        DELETE FROM rebuilds WHERE name = 'sessions';
        DROP TABLE IF EXISTS rebuild.sessions;
    END IF;
    RETURN forgotten;
END $$;
COMMENT ON FUNCTION forget_old_sessions IS 'Deletes up to `most` events of logins older than `days` and their rows; returns the number of events.';
REVOKE ALL ON FUNCTION forget_old_sessions(integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION forget_old_sessions(integer, integer) TO rollbook_app;

-- The worker regularly looks for moves that have no job any more. A rebuild fills these columns for earlier tasks.
ALTER TABLE tasks ADD COLUMN organization_id uuid, ADD COLUMN requested_position bigint;
CREATE INDEX tasks_pending ON tasks (task_id) WHERE state = 'pending';
