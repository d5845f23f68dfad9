-- Users: their unique names (inline), and what lists show of them (background).

CREATE TABLE user_identifiers (
    hash bytea NOT NULL CONSTRAINT user_identifiers_pkey PRIMARY KEY,
    user_id uuid NOT NULL,
    kind text NOT NULL
);
CREATE INDEX user_identifiers_by_user ON user_identifiers (user_id, kind);
COMMENT ON TABLE user_identifiers IS
    'Keyed hashes of all names that a user may log in with. Each kind of name (email, phone, username) is a namespace.';

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
    -- forms that the domain has folded; they are compared, searched and sorted byte by byte
    username_key text COLLATE "C",
    email_key text COLLATE "C",
    email_text text COLLATE "C",
    phone_key text COLLATE "C",
    first_name_key text COLLATE "C",
    last_name_key text COLLATE "C",
    verified boolean NOT NULL GENERATED ALWAYS AS (email_verified OR phone_verified) STORED,
    listed boolean NOT NULL GENERATED ALWAYS AS (confirmed OR email_verified OR phone_verified) STORED,
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
COMMENT ON COLUMN users.email_key IS 'The address for comparison: the local part folded, the domain in A-labels.';
COMMENT ON COLUMN users.email_text IS 'The address for prefix search: folded, as typed.';
COMMENT ON COLUMN users.phone_key IS 'The number for comparison, in E.164.';
COMMENT ON COLUMN users.listed IS 'Lists show these users by default: they may log in or have a verified contact.';
COMMENT ON COLUMN users.organization_ids IS 'The organizations of a provider, in the order in which the provider joined them.';
CREATE INDEX users_by_individual ON users (individual_id);
CREATE INDEX users_by_username ON users (username_key);
CREATE INDEX users_by_phone ON users (phone_key);
CREATE INDEX users_by_email ON users (email_key, user_id);
CREATE INDEX users_by_email_text ON users (email_text);
CREATE INDEX users_by_first_name ON users (first_name_key, user_id);
CREATE INDEX users_by_last_name ON users (last_name_key, user_id);
CREATE INDEX users_by_modified ON users (modified_at, user_id);
CREATE INDEX users_by_birth_date ON users (birth_date) WHERE birth_date IS NOT NULL;
-- the users that lists show by default, with the columns by which lists of all users filter, so that they read no rows
CREATE INDEX users_listed ON users (user_id)
    INCLUDE (account_type, classification, enabled, email_verified, registration_invite) WHERE listed AND NOT archived;
CREATE INDEX users_providers ON users (user_id) WHERE account_type = 'provider';

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

-- Lists of an organization's people filter, count and page in one of these indexes each, without reading the table of users.
CREATE TABLE organization_people (
    organization_id uuid NOT NULL,
    user_id uuid NOT NULL,
    provider boolean NOT NULL,
    participant boolean NOT NULL,
    listed boolean NOT NULL,
    archived boolean NOT NULL,
    enabled boolean NOT NULL,
    email_verified boolean NOT NULL,
    classification text NOT NULL,
    registration_invite text NOT NULL,
    modified_at timestamptz NOT NULL,
    email_key text COLLATE "C",
    first_name_key text COLLATE "C",
    last_name_key text COLLATE "C",
    CONSTRAINT organization_people_pkey PRIMARY KEY (organization_id, user_id)
        INCLUDE (provider, participant, listed, archived, enabled, email_verified, classification, registration_invite)
);
COMMENT ON TABLE organization_people IS
    'The users inside an organization: its providers, and owners of individuals that are shared with it; with the columns that lists filter and sort by.';
CREATE INDEX organization_people_of_user ON organization_people (user_id, organization_id) INCLUDE (provider, participant);
CREATE INDEX organization_people_by_modified ON organization_people (organization_id, modified_at, user_id)
    INCLUDE (provider, participant, listed, archived);
CREATE INDEX organization_people_by_email ON organization_people (organization_id, email_key, user_id)
    INCLUDE (provider, listed, archived);
CREATE INDEX organization_people_by_first_name ON organization_people (organization_id, first_name_key, user_id)
    INCLUDE (provider, listed, archived);
CREATE INDEX organization_people_by_last_name ON organization_people (organization_id, last_name_key, user_id)
    INCLUDE (provider, listed, archived);

CREATE TABLE user_replications (
    replication_id uuid NOT NULL CONSTRAINT user_replications_pkey PRIMARY KEY,
    user_id uuid NOT NULL,
    service text NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX user_replications_by_user ON user_replications (user_id, created_at, replication_id);

GRANT SELECT, INSERT, UPDATE, DELETE ON
    user_identifiers, users, user_individuals, user_shares, organization_people, user_replications
TO rollbook_app;
