-- The result of a command with an Idempotency-Key is stored instead of its answer: a retry renders the stored result,
-- is never decided again, and shows what its caller may read at that time (rulings A6, O11).

ALTER TABLE idempotency_keys
    ADD COLUMN status smallint NOT NULL DEFAULT 201,
    ADD COLUMN resource_id text,
    DROP COLUMN answer;
UPDATE idempotency_keys SET fingerprint = substr(fingerprint, 1, 32);
COMMENT ON COLUMN idempotency_keys.fingerprint IS 'Keyed hash of method, path and body.';
COMMENT ON COLUMN idempotency_keys.status IS 'The status of the answer.';
COMMENT ON COLUMN idempotency_keys.resource_id IS 'The id of the resource that the command created or changed; null if the answer is null.';
