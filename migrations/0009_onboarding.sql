-- Onboarding requests: open ones by contact (inline) and all of a user (background); invitations; service documents.

CREATE TABLE open_onboarding_requests (
    organization_id uuid NOT NULL,
    contact bytea NOT NULL,
    request_id uuid NOT NULL,
    CONSTRAINT open_onboarding_requests_pkey PRIMARY KEY (organization_id, contact)
);
COMMENT ON COLUMN open_onboarding_requests.contact IS 'Keyed hash of the address, number or name; each has at most one open request.';
CREATE INDEX open_onboarding_requests_by_request ON open_onboarding_requests (request_id);

CREATE TABLE user_onboarding_requests (
    request_id uuid NOT NULL CONSTRAINT user_onboarding_requests_pkey PRIMARY KEY,
    user_id uuid NOT NULL,
    organization_id uuid NOT NULL
);
CREATE INDEX user_onboarding_requests_of_user ON user_onboarding_requests (user_id, request_id);

-- Messages that invite people. The worker regularly looks for pending ones that have no job any more.
CREATE TABLE invitations (
    message_id uuid NOT NULL CONSTRAINT invitations_pkey PRIMARY KEY,
    request_id uuid NOT NULL,
    channel text NOT NULL,
    pending boolean NOT NULL,
    issued_position bigint NOT NULL
);
CREATE INDEX invitations_pending ON invitations (message_id) WHERE pending;

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

GRANT SELECT, INSERT, UPDATE, DELETE ON
    open_onboarding_requests, user_onboarding_requests, invitations, service_documents
TO rollbook_app;
