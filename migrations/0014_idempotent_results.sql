-- What a command with an Idempotency-Key came to is kept instead of what it was answered: a retry is rendered from the
-- recorded result, never decided again, and shows what its caller may read by then (rulings A6, O11).

ALTER TABLE idempotency_keys
    ADD COLUMN status smallint NOT NULL DEFAULT 201,
    ADD COLUMN resource_id text,
    DROP COLUMN answer;
UPDATE idempotency_keys SET fingerprint = substr(fingerprint, 1, 32);
COMMENT ON COLUMN idempotency_keys.fingerprint IS 'Keyed hash of method, path and body.';
COMMENT ON COLUMN idempotency_keys.status IS 'Of the answer.';
COMMENT ON COLUMN idempotency_keys.resource_id IS 'What the command made or was about; null where the answer is null.';
