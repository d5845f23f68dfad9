"""The statements of one append transaction.

Arrays are sent in binary (%b): 64 payloads are encoded in 20 µs, instead of 490 µs as text. Plans do not depend on the
lengths of arrays: in these statements because the arrays are in SELECTs, in the later ones of the transaction because
APPEND sets plan_cache_mode. Otherwise Postgres would often expect a plan for the actual arrays to be cheaper than a
generic one, and would plan each statement again.
"""

# The head row is both lock and counter, and is updated first, so appends of all processes are serial and positions have
# no gaps. It is the clock as well: each event is at least a microsecond later than the one before, whatever clocks
# show.
APPEND = """
WITH head AS (
    UPDATE log_head
    SET position = position + %(count)s,
        recorded_at = greatest(clock_timestamp(), recorded_at + interval '1 microsecond')
                      + (%(count)s - 1) * interval '1 microsecond'
    WHERE log = %(log)s AND (inline_projections IS NULL OR inline_projections = %(inline)s)
    RETURNING position, recorded_at
), appended AS (
    INSERT INTO {events} (originator_id, originator_version, notification_id, topic, state,
                          recorded_at, actor, organization_id, correlation_id, append_id)
    SELECT row.originator_id, row.originator_version, head.position - %(count)s + row.place, row.topic, row.state,
           head.recorded_at - (%(count)s - row.place) * interval '1 microsecond',
           row.actor, row.organization_id, row.correlation_id, row.append_id
    FROM head, unnest((SELECT %(ids)b::uuid[]), (SELECT %(versions)b::bigint[]), (SELECT %(topics)b::text[]),
                      (SELECT %(states)b::bytea[]), (SELECT %(actors)b::uuid[]),
                      (SELECT %(organizations)b::uuid[]), (SELECT %(correlations)b::text[]),
                      (SELECT %(appends)b::uuid[]))
         WITH ORDINALITY AS row(originator_id, originator_version, topic, state,
                                actor, organization_id, correlation_id, append_id, place)
    ON CONFLICT (originator_id, originator_version) DO NOTHING RETURNING 1
)
SELECT position - %(count)s AS base, recorded_at - (%(count)s - 1) * interval '1 microsecond' AS recorded_at,
       (SELECT count(*) FROM appended) AS appended,
       set_config('plan_cache_mode', 'force_generic_plan', true) FROM head
"""

# The streams that already had an event of one of these versions before this append: versions that the append writes, or
# the next versions of streams that a decision relies on.
CONFLICTS = """
SELECT DISTINCT e.originator_id
FROM unnest(%(ids)b::uuid[], %(versions)b::bigint[]) AS place(originator_id, originator_version)
JOIN {events} e USING (originator_id, originator_version)
WHERE e.notification_id <= (SELECT position FROM log_head WHERE log = %(log)s) - %(count)s
"""

# If another request has recorded the key meanwhile, the fingerprint becomes null, which violates NOT NULL. So no key
# ever belongs to two commands.
STORE_RESULTS = """
INSERT INTO idempotency_keys (user_id, key, fingerprint, status, resource_id, position)
SELECT * FROM unnest(%(users)s::uuid[], %(keys)s::text[], %(fingerprints)s::bytea[], %(statuses)s::smallint[],
                     %(resources)s::text[], %(positions)s::bigint[])
ON CONFLICT (user_id, key) DO UPDATE SET position = EXCLUDED.position, resource_id = EXCLUDED.resource_id, fingerprint =
    CASE WHEN idempotency_keys.fingerprint = EXCLUDED.fingerprint THEN EXCLUDED.fingerprint END
"""

# Locks the head row like an append, with the same condition.
LOCK_HEAD = """
SELECT position FROM log_head
WHERE log = %(log)s AND (inline_projections IS NULL OR inline_projections = %(inline)s) FOR UPDATE
"""

# Waits for the lock of the head row, so also for the transaction of a lost connection. After that its outcome is known.
WAIT_FOR_HEAD = "SELECT position FROM log_head WHERE log = %(log)s FOR UPDATE"

READ_BACK = """
SELECT append_id, max(notification_id), max(recorded_at) FROM {events}
WHERE (originator_id, originator_version) IN (SELECT * FROM unnest(%(ids)b::uuid[], %(versions)b::bigint[]))
GROUP BY append_id
"""
