-- Organizations, their roles and role users, and replications of users.
-- organization_names and role_users are inline, the others are background.

CREATE TABLE organization_names (
    organization_id uuid NOT NULL CONSTRAINT organization_names_pkey PRIMARY KEY,
    name text NOT NULL COLLATE "C" CONSTRAINT organization_names_name_key UNIQUE,
    display_name text NOT NULL
);

CREATE TABLE organizations (
    organization_id uuid NOT NULL CONSTRAINT organizations_pkey PRIMARY KEY,
    name text NOT NULL COLLATE "C",
    display_name text NOT NULL,
    classification text NOT NULL,
    provider_type text NOT NULL,
    timezone text NOT NULL,
    theme_id uuid,
    authorization_type text NOT NULL,
    active boolean NOT NULL,
    modified_at timestamptz NOT NULL
);
-- both include "active", so that rows before the page and rows that are only counted are not fetched
CREATE INDEX organizations_by_name ON organizations (name, organization_id) INCLUDE (active);
CREATE INDEX organizations_by_modified ON organizations (modified_at, organization_id) INCLUDE (active);

CREATE TABLE organization_totals (
    active boolean NOT NULL CONSTRAINT organization_totals_pkey PRIMARY KEY,
    total bigint NOT NULL
);
COMMENT ON TABLE organization_totals IS 'Total numbers, so that lists of users who may see all organizations need not count.';

CREATE TABLE roles (
    role_id uuid NOT NULL CONSTRAINT roles_pkey PRIMARY KEY,
    organization_id uuid NOT NULL,
    name text NOT NULL COLLATE "C",
    display_name text NOT NULL
);
CREATE INDEX roles_by_organization ON roles (organization_id);
CREATE INDEX roles_by_name ON roles (name, role_id);

CREATE TABLE role_users (
    role_id uuid NOT NULL,
    user_id uuid NOT NULL,
    number bigint NOT NULL CONSTRAINT role_users_number_key UNIQUE,
    CONSTRAINT role_users_pkey PRIMARY KEY (role_id, user_id)
);
COMMENT ON COLUMN role_users.number IS 'The position of the event that granted the role; the contract calls it the id.';

CREATE TABLE user_replications (
    replication_id uuid NOT NULL CONSTRAINT user_replications_pkey PRIMARY KEY,
    user_id uuid NOT NULL,
    service text NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX user_replications_by_user ON user_replications (user_id, created_at, replication_id);

GRANT SELECT, INSERT, UPDATE, DELETE ON
    organization_names, organizations, organization_totals, roles, role_users, user_replications
TO rollbook_app;
