-- Lists of an organization's people, sorted by id or by modification time, filter, count and page in one index each
-- without reading the table of users.

ALTER TABLE organization_people
    ADD COLUMN verified boolean,
    ADD COLUMN archived boolean,
    ADD COLUMN enabled boolean,
    ADD COLUMN email_verified boolean,
    ADD COLUMN classification text,
    ADD COLUMN registration_invite text,
    ADD COLUMN modified_at timestamptz;
UPDATE organization_people p SET
    verified = u.verified,
    archived = u.archived,
    enabled = u.enabled,
    email_verified = u.email_verified,
    classification = u.classification,
    registration_invite = u.registration_invite,
    modified_at = u.modified_at
FROM users u WHERE u.user_id = p.user_id;
ALTER TABLE organization_people
    DROP CONSTRAINT organization_people_pkey,
    DROP COLUMN listed,
    ALTER COLUMN verified SET NOT NULL,
    ALTER COLUMN archived SET NOT NULL,
    ALTER COLUMN enabled SET NOT NULL,
    ALTER COLUMN email_verified SET NOT NULL,
    ALTER COLUMN classification SET NOT NULL,
    ALTER COLUMN registration_invite SET NOT NULL,
    ALTER COLUMN modified_at SET NOT NULL,
    ADD CONSTRAINT organization_people_pkey PRIMARY KEY (organization_id, user_id)
        INCLUDE (provider, participant, verified, archived, enabled, email_verified, classification, registration_invite);
CREATE INDEX organization_people_by_modified ON organization_people (organization_id, modified_at, user_id)
    INCLUDE (provider, participant, verified, archived);
COMMENT ON TABLE organization_people IS
    'The users inside an organization: its providers, and owners of individuals that are shared with it; with the columns that lists filter by.';
