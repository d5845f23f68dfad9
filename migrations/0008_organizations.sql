-- Organizations, their unique names (inline), and their plain records (inline).

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

-- Plain records: each table enforces unique values and serves the list. Collation "C" compares and sorts by code point.
CREATE TABLE themes (
    id uuid PRIMARY KEY,
    domain text COLLATE "C" NOT NULL,
    support_email text NOT NULL,
    support_email_key text COLLATE "C" NOT NULL,
    support_email_name text,
    is_active boolean NOT NULL,
    created_at timestamptz NOT NULL,
    created_by uuid,
    modified_at timestamptz NOT NULL,
    modified_by uuid,
    CONSTRAINT themes_key UNIQUE (domain)
);
CREATE INDEX themes_by_time ON themes (modified_at, id);

CREATE TABLE sms_templates (
    id uuid PRIMARY KEY,
    organization_id uuid,
    theme_id uuid,
    type text COLLATE "C" NOT NULL,
    locale text COLLATE "C" NOT NULL,
    template text NOT NULL,
    created_at timestamptz NOT NULL,
    created_by uuid,
    modified_at timestamptz NOT NULL,
    modified_by uuid,
    CONSTRAINT sms_templates_key UNIQUE NULLS NOT DISTINCT (organization_id, theme_id, type, locale)
);
CREATE INDEX sms_templates_in_order ON sms_templates (type, locale, id);

CREATE TABLE email_templates (
    id uuid PRIMARY KEY,
    organization_id uuid,
    theme_id uuid,
    type text COLLATE "C" NOT NULL,
    locale text COLLATE "C" NOT NULL,
    format text COLLATE "C" NOT NULL,
    subject text NOT NULL,
    template text NOT NULL,
    support_email text,
    support_email_title text,
    created_at timestamptz NOT NULL,
    created_by uuid,
    modified_at timestamptz NOT NULL,
    modified_by uuid,
    CONSTRAINT email_templates_key UNIQUE NULLS NOT DISTINCT (organization_id, theme_id, type, locale, format)
);
CREATE INDEX email_templates_in_order ON email_templates (type, locale, format, id);

CREATE TABLE general_messages (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL,
    name text COLLATE "C" NOT NULL,
    locale text COLLATE "C" NOT NULL,
    message text NOT NULL,
    created_at timestamptz NOT NULL,
    created_by uuid,
    modified_at timestamptz NOT NULL,
    modified_by uuid,
    CONSTRAINT general_messages_key UNIQUE (organization_id, name, locale)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON
    organization_names, organizations, organization_totals, themes, sms_templates, email_templates, general_messages
TO rollbook_app;
