-- The id that binds an encrypted value to its key, and the right to delete outdated snapshots.

ALTER TABLE data_keys ADD COLUMN key_id uuid NOT NULL DEFAULT gen_random_uuid();
COMMENT ON COLUMN data_keys.key_id IS
    'Part of the associated data of all values that are encrypted with the key; a rotation of the master key keeps it.';

-- Events stay append-only; a snapshot can be computed from them again.
GRANT DELETE ON snapshots, session_snapshots TO rollbook_app;
