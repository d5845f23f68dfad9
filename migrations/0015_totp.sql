-- TOTP configurations: see projections/people/totp.py. The first table follows the identity log, the second one the log
-- of sessions. Their secrets are in the events only.

CREATE TABLE totp_configurations (
    configuration_id uuid NOT NULL CONSTRAINT totp_configurations_pkey PRIMARY KEY,
    user_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    enabled_at timestamptz,
    enabled_before boolean NOT NULL DEFAULT false,
    last_used_at timestamptz,
    recovery_codes_left integer NOT NULL DEFAULT 0
);
COMMENT ON COLUMN totp_configurations.enabled_before IS 'Whether it was ever enabled; from then on its secret is not shown.';
COMMENT ON COLUMN totp_configurations.last_used_at IS 'The last time that it was enabled or that a recovery code was used.';
CREATE INDEX totp_configurations_of_user ON totp_configurations (user_id, created_at, configuration_id);

CREATE TABLE totp_uses (
    configuration_id uuid NOT NULL CONSTRAINT totp_uses_pkey PRIMARY KEY,
    used_at timestamptz NOT NULL
);
COMMENT ON TABLE totp_uses IS 'The last login with a code of the configuration, as far back as the log of sessions is kept.';

GRANT SELECT, INSERT, UPDATE, DELETE ON totp_configurations, totp_uses TO rollbook_app;
