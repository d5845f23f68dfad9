-- When the last event of each log was recorded: times grow with positions, whatever the clocks of the processes say.
-- Which inline projections are applied with each append: processes that have others may not append.

ALTER TABLE log_head
    ADD COLUMN recorded_at timestamptz NOT NULL DEFAULT '-infinity',
    ADD COLUMN inline_projections text,
    ADD COLUMN inline_order integer[];

UPDATE log_head SET recorded_at = coalesce((SELECT max(recorded_at) FROM events), '-infinity')
WHERE log = 'identity';
UPDATE log_head SET recorded_at = coalesce((SELECT max(recorded_at) FROM session_events), '-infinity')
WHERE log = 'sessions';

COMMENT ON COLUMN log_head.recorded_at IS 'Of the last event; of the next one it is at least a microsecond later.';
COMMENT ON COLUMN log_head.inline_projections IS 'Names and versions, as the newest process that has started declared them.';
COMMENT ON COLUMN log_head.inline_order IS 'How new that process is: its last migration, then the sum of the versions.';
