-- The idempotency store: requests with an Idempotency-Key, kept for a day (ruling A6).

CREATE TABLE idempotency_keys (
    user_id uuid NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    position bigint NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    answer bytea,
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (user_id, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (recorded_at);
COMMENT ON COLUMN idempotency_keys.key IS 'Keyed hash of the client''s Idempotency-Key.';
COMMENT ON COLUMN idempotency_keys.fingerprint IS 'Keyed hash of method, path and body, then the seed of generated ids.';
COMMENT ON COLUMN idempotency_keys.position IS 'The position of its append; if it appended nothing, the head of the log at its decision.';
COMMENT ON COLUMN idempotency_keys.answer IS 'Encrypted with the user''s data key; null if the request was recorded but not answered.';

GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency_keys TO rollbook_app;
GRANT SELECT ON schema_migrations TO rollbook_app; -- for /readyz
