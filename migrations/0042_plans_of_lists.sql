-- Indexes for lists whose cost depended on the size of the table and not on that of the page (decision 0042).

-- live users without a status that grants rights, for lists of accessors
CREATE INDEX access_users_ordinary ON access_users (user_id) WHERE live AND NOT staff AND service_name IS NULL;
-- an organization has few administrators
CREATE INDEX organization_users_admins ON organization_users (organization_id, user_id) WHERE admin;
CREATE INDEX users_by_birth_date ON users (birth_date) WHERE birth_date IS NOT NULL;
-- includes the columns by which lists of all users filter, so that they read no rows
DROP INDEX users_listed;
CREATE INDEX users_listed ON users (user_id)
    INCLUDE (account_type, classification, enabled, email_verified, registration_invite) WHERE listed AND NOT archived;

-- the columns by which an organization's people are sorted; a rebuild of "users" fills them in rows that processes of the
-- previous version write meanwhile
ALTER TABLE organization_people
    ADD COLUMN email_key text COLLATE "C",
    ADD COLUMN first_name_key text COLLATE "C",
    ADD COLUMN last_name_key text COLLATE "C";
UPDATE organization_people p SET email_key = u.email_key, first_name_key = u.first_name_key, last_name_key = u.last_name_key
FROM users u WHERE u.user_id = p.user_id;
CREATE INDEX organization_people_by_email ON organization_people (organization_id, email_key, user_id)
    INCLUDE (provider, listed, archived);
CREATE INDEX organization_people_by_first_name ON organization_people (organization_id, first_name_key, user_id)
    INCLUDE (provider, listed, archived);
CREATE INDEX organization_people_by_last_name ON organization_people (organization_id, last_name_key, user_id)
    INCLUDE (provider, listed, archived);
