-- The idempotency store: requests with an Idempotency-Key, kept for a day (rulings A6 and O11). It holds the result of the
-- command instead of its answer: a retry renders the stored result and shows what its caller may read at that time.

CREATE TABLE idempotency_keys (
    user_id uuid NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    status smallint NOT NULL DEFAULT 201,
    resource_id text,
    position bigint NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (user_id, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (recorded_at);
COMMENT ON COLUMN idempotency_keys.key IS 'Keyed hash of the client''s Idempotency-Key.';
COMMENT ON COLUMN idempotency_keys.fingerprint IS 'Keyed hash of method, path and body.';
COMMENT ON COLUMN idempotency_keys.status IS 'The status of the answer.';
COMMENT ON COLUMN idempotency_keys.resource_id IS 'The id of the resource that the command created or changed; null if the answer is null.';
COMMENT ON COLUMN idempotency_keys.position IS 'The position of its append; if it appended nothing, the head of the log at its decision.';

GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency_keys TO rollbook_app;
GRANT SELECT ON schema_migrations TO rollbook_app; -- for /readyz
