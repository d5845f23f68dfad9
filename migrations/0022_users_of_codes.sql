-- Lists and totals of the users of an organization code read no rows of users whom they do not show.

CREATE INDEX users_by_state ON users (user_id) INCLUDE (state, email_verified, archived);
