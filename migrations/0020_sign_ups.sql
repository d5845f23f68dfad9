-- Who signed up with which organization code (inline).

CREATE TABLE sign_ups (
    user_id uuid NOT NULL CONSTRAINT sign_ups_pkey PRIMARY KEY,
    code_id uuid NOT NULL,
    signed_up_at timestamptz NOT NULL
);
COMMENT ON COLUMN sign_ups.code_id IS 'The id that is derived from the code, which may be deleted by now.';
CREATE INDEX sign_ups_with_code ON sign_ups (code_id, signed_up_at DESC, user_id);

GRANT SELECT, INSERT, UPDATE, DELETE ON sign_ups TO rollbook_app;
