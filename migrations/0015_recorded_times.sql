-- The time of the last event of each log, so that times grow with positions whatever the clocks of the processes show.
-- The set of inline projections that each append applies: a process with another set may not append.

ALTER TABLE log_head
    ADD COLUMN recorded_at timestamptz NOT NULL DEFAULT '-infinity',
    ADD COLUMN inline_projections text,
    ADD COLUMN inline_order integer[];

UPDATE log_head SET recorded_at = coalesce((SELECT max(recorded_at) FROM events), '-infinity')
WHERE log = 'identity';
UPDATE log_head SET recorded_at = coalesce((SELECT max(recorded_at) FROM session_events), '-infinity')
WHERE log = 'sessions';

COMMENT ON COLUMN log_head.recorded_at IS 'The time of the last event; the next event is at least a microsecond later.';
COMMENT ON COLUMN log_head.inline_projections IS 'Names and versions, declared by the newest version that has started.';
COMMENT ON COLUMN log_head.inline_order IS 'The order of versions: the number of the last migration, then the sum of the projections'' versions.';
