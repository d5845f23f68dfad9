-- Users: their unique names (inline), open onboarding requests (inline), and what lists show of them (background).

CREATE TABLE user_identifiers (
    hash bytea NOT NULL CONSTRAINT user_identifiers_pkey PRIMARY KEY,
    user_id uuid NOT NULL,
    email boolean NOT NULL,
    phone boolean NOT NULL,
    username boolean NOT NULL
);
COMMENT ON TABLE user_identifiers IS
    'Keyed hashes of all names that a user may log in with, in one namespace.';

CREATE TABLE open_onboarding_requests (
    organization_id uuid NOT NULL,
    contact bytea NOT NULL,
    request_id uuid NOT NULL,
    CONSTRAINT open_onboarding_requests_pkey PRIMARY KEY (organization_id, contact)
);
COMMENT ON COLUMN open_onboarding_requests.contact IS 'Keyed hash of the address, number or name; each has at most one open request.';
CREATE INDEX open_onboarding_requests_by_request ON open_onboarding_requests (request_id);

CREATE TABLE users (
    user_id uuid NOT NULL CONSTRAINT users_pkey PRIMARY KEY,
    classification text NOT NULL,
    account_type text NOT NULL DEFAULT 'patient',
    individual_id uuid,
    email text,
    phone text,
    username text,
    first_name text,
    last_name text,
    birth_date date,
    communication_preferences jsonb,
    locale text,
    tz text,
    email_verified boolean NOT NULL DEFAULT false,
    phone_verified boolean NOT NULL DEFAULT false,
    registered boolean NOT NULL DEFAULT false,
    confirmed boolean NOT NULL DEFAULT false,
    enabled boolean NOT NULL DEFAULT true,
    reset_required boolean NOT NULL DEFAULT false,
    archived boolean NOT NULL DEFAULT false,
    registration_invite text NOT NULL DEFAULT 'none',
    registration_completed_at timestamptz,
    auto_sign_up boolean NOT NULL DEFAULT false,
    auto_confirm boolean NOT NULL DEFAULT false,
    organization_ids uuid[] NOT NULL DEFAULT '{}',
    default_organization_id uuid,
    created_by uuid,
    created_at timestamptz NOT NULL,
    modified_at timestamptz NOT NULL,
    -- folded forms, which are compared, searched and sorted byte by byte
    username_key text COLLATE "C",
    email_key text COLLATE "C",
    first_name_key text COLLATE "C",
    last_name_key text COLLATE "C",
    verified boolean NOT NULL GENERATED ALWAYS AS (email_verified OR phone_verified) STORED,
    state text NOT NULL GENERATED ALWAYS AS (
        CASE WHEN archived THEN 'archived'
             WHEN NOT enabled AND confirmed THEN 'disabled'
             WHEN NOT enabled THEN 'registered_disabled'
             WHEN confirmed AND reset_required THEN 'force_reset_password'
             WHEN confirmed THEN 'confirmed'
             WHEN registered THEN 'registered'
             ELSE 'init' END
    ) STORED
) WITH (fillfactor = 80);
COMMENT ON COLUMN users.username IS 'The chosen user name, or else the e-mail address, or else the phone number.';
COMMENT ON COLUMN users.account_type IS 'provider or patient.';
COMMENT ON COLUMN users.organization_ids IS 'The organizations of a provider, in the order in which the provider joined them.';
CREATE INDEX users_by_individual ON users (individual_id);
CREATE INDEX users_by_username ON users (username_key);
CREATE INDEX users_by_phone ON users (phone);
CREATE INDEX users_by_email ON users (email_key, user_id);
CREATE INDEX users_by_first_name ON users (first_name_key, user_id);
CREATE INDEX users_by_last_name ON users (last_name_key, user_id);
CREATE INDEX users_by_modified ON users (modified_at, user_id);
-- the users that lists show by default; a small index, so that counting reads no rows
CREATE INDEX users_listed ON users (user_id) INCLUDE (account_type) WHERE verified AND NOT archived;
CREATE INDEX users_providers ON users (user_id) WHERE account_type = 'provider';

CREATE TABLE user_onboarding_requests (
    request_id uuid NOT NULL CONSTRAINT user_onboarding_requests_pkey PRIMARY KEY,
    user_id uuid NOT NULL,
    organization_id uuid NOT NULL
);
CREATE INDEX user_onboarding_requests_of_user ON user_onboarding_requests (user_id, request_id);

CREATE TABLE user_individuals (
    individual_id uuid NOT NULL CONSTRAINT user_individuals_pkey PRIMARY KEY,
    owner_id uuid NOT NULL
);
COMMENT ON TABLE user_individuals IS 'Individuals that users own.';
CREATE INDEX user_individuals_by_owner ON user_individuals (owner_id, individual_id);

CREATE TABLE user_shares (
    individual_id uuid NOT NULL,
    organization_id uuid NOT NULL,
    CONSTRAINT user_shares_pkey PRIMARY KEY (individual_id, organization_id)
);
COMMENT ON TABLE user_shares IS 'Organizations that individuals are shared with, for owners of any kind.';

CREATE TABLE organization_people (
    organization_id uuid NOT NULL,
    user_id uuid NOT NULL,
    provider boolean NOT NULL,
    participant boolean NOT NULL,
    listed boolean NOT NULL,
    CONSTRAINT organization_people_pkey PRIMARY KEY (organization_id, user_id) INCLUDE (provider, participant, listed)
);
COMMENT ON TABLE organization_people IS
    'The users inside an organization: its providers, and owners of individuals that are shared with it.';
COMMENT ON COLUMN organization_people.listed IS 'Verified and not archived: lists show these users by default.';
CREATE INDEX organization_people_of_user ON organization_people (user_id, organization_id) INCLUDE (provider, participant);

GRANT SELECT, INSERT, UPDATE, DELETE ON
    user_identifiers, open_onboarding_requests, users, user_onboarding_requests, user_individuals, user_shares,
    organization_people
TO rollbook_app;
