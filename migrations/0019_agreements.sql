-- Agreements of users to service documents (inline).

CREATE TABLE service_document_agreements (
    user_id uuid NOT NULL,
    document_id uuid NOT NULL,
    agreed_at timestamptz NOT NULL,
    CONSTRAINT service_document_agreements_pkey PRIMARY KEY (user_id, document_id)
);

-- each login looks up the documents for all organizations, and those of the user's organizations
CREATE INDEX service_documents_of_organization ON service_documents (organization_id, type, created_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON service_document_agreements TO rollbook_app;
