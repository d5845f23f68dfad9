-- Staff are users of the operator's classification who are providers of an organization of that classification.
-- A rebuild of "authorization" corrects the columns: the classification of organizations used here may lag.

ALTER TABLE access_users ADD COLUMN classified boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN access_users.classified IS 'The user has the operator''s classification; with a membership in a staffed organization they are staff.';
UPDATE access_users SET classified = true WHERE staff;
CREATE INDEX access_users_classified ON access_users (user_id) WHERE classified;

ALTER TABLE access_organizations ADD COLUMN staffed boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN access_organizations.staffed IS 'The organization has the operator''s classification: its providers of that classification are staff.';
UPDATE access_organizations a SET staffed = true
FROM organizations o WHERE o.organization_id = a.organization_id AND o.classification = 'carium';
UPDATE access_users u SET staff = false
WHERE u.staff AND NOT EXISTS (
    SELECT FROM organization_users m JOIN access_organizations o USING (organization_id)
    WHERE m.user_id = u.user_id AND m.provider AND o.staffed);

-- The domain folds texts, not SQL, whose lower() depends on the collation. A rebuild of "users" fills these columns.
ALTER TABLE users ADD COLUMN email_text text COLLATE "C", ADD COLUMN phone_key text COLLATE "C";
COMMENT ON COLUMN users.email_key IS 'The address for comparison: the local part folded, the domain in A-labels.';
COMMENT ON COLUMN users.email_text IS 'The address for prefix search: folded, as typed.';
COMMENT ON COLUMN users.phone_key IS 'The number for comparison, in E.164.';
CREATE INDEX users_by_email_text ON users (email_text);
DROP INDEX users_by_phone;
CREATE INDEX users_by_phone ON users (phone_key);
