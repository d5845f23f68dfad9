-- Organization codes (inline). `sign_ups` counts all sign-ups with the code; rows of deleted codes are gone.

CREATE TABLE organization_codes (
    id uuid PRIMARY KEY,
    code text NOT NULL,
    code_key text COLLATE "C" NOT NULL,
    organization_id uuid NOT NULL,
    expires_at timestamptz,
    enrollment_schema text,
    individual_group_id uuid,
    sign_ups bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    created_by uuid,
    modified_at timestamptz NOT NULL,
    modified_by uuid,
    CONSTRAINT organization_codes_key UNIQUE (code_key)
);
COMMENT ON COLUMN organization_codes.code_key IS 'The code in lower case, by which lists are sorted.';
CREATE INDEX organization_codes_of_organization ON organization_codes (organization_id, code_key);

GRANT SELECT, INSERT, UPDATE, DELETE ON organization_codes TO rollbook_app;
