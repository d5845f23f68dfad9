-- Terms and policies. `titles` and `html` are objects of texts by locale.

CREATE TABLE service_documents (
    id uuid PRIMARY KEY,
    type text COLLATE "C" NOT NULL,
    version text COLLATE "C" NOT NULL,
    locale text COLLATE "C" NOT NULL,
    organization_id uuid,
    titles jsonb NOT NULL,
    html jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    created_by uuid,
    modified_at timestamptz NOT NULL,
    modified_by uuid,
    CONSTRAINT service_documents_key UNIQUE NULLS NOT DISTINCT (type, version, organization_id)
);
CREATE INDEX service_documents_in_order ON service_documents (created_at DESC, id);
CREATE INDEX service_documents_latest ON service_documents (type, organization_id, created_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON service_documents TO rollbook_app;
