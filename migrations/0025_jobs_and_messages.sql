-- Why the last attempt of a job failed, for `rollbook jobs list`: the class of the error and where it arose, no text.

CREATE TABLE job_failures (
    job_id bigint PRIMARY KEY REFERENCES procrastinate_jobs ON DELETE CASCADE,
    error text NOT NULL
);
GRANT SELECT, INSERT, UPDATE, DELETE ON job_failures TO rollbook_app;

-- Messages that invite people. What is pending without a job is looked for now and then.
CREATE TABLE invitations (
    message_id uuid NOT NULL CONSTRAINT invitations_pkey PRIMARY KEY,
    request_id uuid NOT NULL,
    channel text NOT NULL,
    pending boolean NOT NULL,
    issued_position bigint NOT NULL
);
CREATE INDEX invitations_pending ON invitations (message_id) WHERE pending;
GRANT SELECT, INSERT, UPDATE, DELETE ON invitations TO rollbook_app;
