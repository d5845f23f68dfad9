-- Why the last attempt of a job failed, for `rollbook jobs list`: the class of the error and where it arose, no text.

CREATE TABLE job_failures (
    job_id bigint PRIMARY KEY REFERENCES procrastinate_jobs ON DELETE CASCADE,
    error text NOT NULL
);
GRANT SELECT, INSERT, UPDATE, DELETE ON job_failures TO rollbook_app;
