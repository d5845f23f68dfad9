-- Registration invitations (inline).

CREATE TABLE registration_invitations (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL,
    invited_email text,
    address bytea,
    created_by uuid NOT NULL,
    created_at timestamptz NOT NULL,
    claimed_at timestamptz
);
COMMENT ON COLUMN registration_invitations.address IS 'Keyed hash of the address; each organization has one unclaimed invitation of it.';
CREATE UNIQUE INDEX registration_invitations_unclaimed ON registration_invitations (address, organization_id)
    WHERE claimed_at IS NULL;
CREATE INDEX registration_invitations_in_order ON registration_invitations (created_at DESC, id);
CREATE INDEX registration_invitations_of_organization
    ON registration_invitations (organization_id, created_at DESC, id);

GRANT SELECT, INSERT, UPDATE, DELETE ON registration_invitations TO rollbook_app;
