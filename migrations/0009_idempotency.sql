-- Requests with an Idempotency-Key: recorded with what they appended, answered again for a day (ruling A6).

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
COMMENT ON COLUMN idempotency_keys.key IS 'Keyed hash of what the client sent.';
COMMENT ON COLUMN idempotency_keys.fingerprint IS 'Keyed hash of method, path and body, then the seed of the ids it gave.';
COMMENT ON COLUMN idempotency_keys.position IS 'What it appended, or the head of the log that it decided on.';
COMMENT ON COLUMN idempotency_keys.answer IS 'Sealed under the client''s own key; null while it was recorded but never answered.';

GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency_keys TO rollbook_app;
GRANT SELECT ON schema_migrations TO rollbook_app; -- for /readyz
