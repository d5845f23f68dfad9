"""The statements of one append transaction.

Arrays travel in binary (%b): dumping 64 payloads takes 20 µs so, 490 µs as text. Plans do not look at how long they
are: here because the arrays stand in SELECTs, in what follows in the transaction because the first statement says so.
A plan for the arrays at hand often looks cheaper than one for any, so that each would be made anew.
"""

# The head row is the lock and the counter, taken first: appends of all processes are serial and positions gap-free. It
# is the clock as well: each event is recorded at least a microsecond after the one before, whatever the clocks say.
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

# Which of these places in streams were taken before this append: of those that it writes, and of those behind the ends
# of streams that a decision rests on.
TAKEN = """
SELECT DISTINCT e.originator_id
FROM unnest(%(ids)b::uuid[], %(versions)b::bigint[]) AS place(originator_id, originator_version)
JOIN {events} e USING (originator_id, originator_version)
WHERE e.notification_id <= (SELECT position FROM log_head WHERE log = %(log)s) - %(count)s
"""

# A key that another request took meanwhile becomes a null, which is refused: never two commands under one key.
REMEMBER = """
INSERT INTO idempotency_keys (user_id, key, fingerprint, status, resource_id, position)
SELECT * FROM unnest(%(users)s::uuid[], %(keys)s::text[], %(fingerprints)s::bytea[], %(statuses)s::smallint[],
                     %(resources)s::text[], %(positions)s::bigint[])
ON CONFLICT (user_id, key) DO UPDATE SET position = EXCLUDED.position, resource_id = EXCLUDED.resource_id, fingerprint =
    CASE WHEN idempotency_keys.fingerprint = EXCLUDED.fingerprint THEN EXCLUDED.fingerprint END
"""

# As an append does, and with the same condition.
TAKE_HEAD = """
SELECT position FROM log_head
WHERE log = %(log)s AND (inline_projections IS NULL OR inline_projections = %(inline)s) FOR UPDATE
"""

# Waits for whoever holds the head, so for the lost connection's transaction too: after it the outcome is settled.
SETTLE = "SELECT position FROM log_head WHERE log = %(log)s FOR UPDATE"

READ_BACK = """
SELECT append_id, max(notification_id), max(recorded_at) FROM {events}
WHERE (originator_id, originator_version) IN (SELECT * FROM unnest(%(ids)b::uuid[], %(versions)b::bigint[]))
GROUP BY append_id
"""
