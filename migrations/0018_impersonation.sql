-- Requests of staff to act as a user: see projections/sessions/impersonation_requests.py.

CREATE TABLE impersonation_requests (
    request_id uuid NOT NULL CONSTRAINT impersonation_requests_pkey PRIMARY KEY,
    user_id uuid NOT NULL,
    created_by uuid NOT NULL,
    created_at timestamptz NOT NULL,
    used boolean NOT NULL
);
CREATE INDEX impersonation_requests_in_order ON impersonation_requests (created_at DESC, request_id);
CREATE INDEX impersonation_requests_by_user ON impersonation_requests (user_id, created_at DESC, request_id);
CREATE INDEX impersonation_requests_by_creator ON impersonation_requests (created_by, created_at DESC, request_id);
COMMENT ON COLUMN impersonation_requests.used IS 'A session was opened with the request.';

GRANT SELECT, INSERT, UPDATE, DELETE ON impersonation_requests TO rollbook_app;
