-- Where impersonated sessions come from, and when users proved who they are: see projections/sessions/sessions.py.

ALTER TABLE sessions
    ADD COLUMN impersonator uuid,
    ADD COLUMN opened_from uuid,
    ADD COLUMN authenticated_at timestamptz;
UPDATE sessions SET authenticated_at = opened_at;
ALTER TABLE sessions ALTER COLUMN authenticated_at SET NOT NULL;
COMMENT ON COLUMN sessions.kind IS 'How the session was opened: password, service, synthetic, impersonated or anonymous.';
COMMENT ON COLUMN sessions.impersonator IS 'The staff member who acts as the user.';
COMMENT ON COLUMN sessions.opened_from IS 'The session of the impersonator; this one counts only while that one does.';
COMMENT ON COLUMN sessions.authenticated_at IS 'When the user proved who they are; a session that replaces another one keeps it.';

-- the statements above bring the table to the version of the code
UPDATE projections SET version = 2 WHERE name = 'sessions';
