-- Plain records of organizations. Each table enforces unique values and serves the list. Collation "C" compares and sorts
-- by code point.

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

GRANT SELECT, INSERT, UPDATE, DELETE ON themes, sms_templates, email_templates, general_messages TO rollbook_app;
