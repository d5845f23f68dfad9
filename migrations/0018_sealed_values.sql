-- What binds a sealed value to its key, and who removes snapshots that a later one has replaced.

ALTER TABLE data_keys ADD COLUMN key_id uuid NOT NULL DEFAULT gen_random_uuid();
COMMENT ON COLUMN data_keys.key_id IS
    'Associated data of all that is sealed under the key; stays when the key is wrapped anew.';

-- The events stay append-only; a snapshot only stands for events that are there.
GRANT DELETE ON snapshots, session_snapshots TO rollbook_app;
