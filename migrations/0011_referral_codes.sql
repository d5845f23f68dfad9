-- Referral codes and the requests that they lead to (inline): a code counts as soon as it is issued.

CREATE TABLE referral_codes (
    message_id uuid NOT NULL CONSTRAINT referral_codes_pkey PRIMARY KEY,
    request_id uuid NOT NULL,
    code_hash text COLLATE "C" NOT NULL,
    channel text COLLATE "C" NOT NULL,
    expires_at timestamptz NOT NULL,
    void boolean NOT NULL
);
COMMENT ON COLUMN referral_codes.code_hash IS 'SHA-256; a code has 80 random bits.';
CREATE INDEX referral_codes_by_hash ON referral_codes (code_hash);
CREATE INDEX referral_codes_of_request ON referral_codes (request_id);

-- What a request leads to. `registering` tells whether its user has signed up for it and is not confirmed yet.
CREATE TABLE claimable_requests (
    request_id uuid NOT NULL CONSTRAINT claimable_requests_pkey PRIMARY KEY,
    organization_id uuid NOT NULL,
    user_id uuid NOT NULL,
    registering boolean NOT NULL,
    claimed boolean NOT NULL
);
CREATE INDEX claimable_requests_open ON claimable_requests (user_id, request_id) WHERE NOT claimed;

GRANT SELECT, INSERT, UPDATE, DELETE ON referral_codes, claimable_requests TO rollbook_app;
