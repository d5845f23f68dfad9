-- Onboarding requests as lists and detail pages show them (background). `email_invite` and `sms_invite` are the last
-- invitations over these channels, as objects. `patient_id` is null until the claim (ruling A1).

CREATE TABLE onboarding_requests (
    request_id uuid NOT NULL CONSTRAINT onboarding_requests_pkey PRIMARY KEY,
    organization_id uuid NOT NULL,
    onboard_type text COLLATE "C" NOT NULL,
    user_id uuid NOT NULL,
    email text,
    phone text,
    email_key text COLLATE "C",
    phone_key text COLLATE "C",
    username_key text COLLATE "C",
    provider_roles jsonb NOT NULL,
    created_by uuid,
    created_at timestamptz NOT NULL,
    invited boolean NOT NULL,
    registering_at timestamptz,
    claimed_at timestamptz,
    claimed_by uuid,
    patient_id uuid,
    email_invite jsonb,
    sms_invite jsonb
);
CREATE INDEX onboarding_requests_in_order
    ON onboarding_requests (organization_id, onboard_type, created_at DESC, request_id);
CREATE INDEX onboarding_requests_by_email ON onboarding_requests (email_key, created_at DESC);
CREATE INDEX onboarding_requests_by_phone ON onboarding_requests (phone_key, created_at DESC);
CREATE INDEX onboarding_requests_by_username ON onboarding_requests (username_key, created_at DESC);
CREATE INDEX onboarding_requests_by_patient ON onboarding_requests (patient_id) WHERE patient_id IS NOT NULL;

-- What `registration-invite` of a user is computed from: the last invitations of requests that made the user.
ALTER TABLE user_onboarding_requests ADD COLUMN new_user boolean NOT NULL DEFAULT false;
ALTER TABLE user_onboarding_requests ADD COLUMN invites jsonb NOT NULL DEFAULT '{}';

GRANT SELECT, INSERT, UPDATE, DELETE ON onboarding_requests TO rollbook_app;
