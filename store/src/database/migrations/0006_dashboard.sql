-- Who is logged in to the dashboard. A session is good for what its token is good for, and ends with it.
CREATE TABLE sessions (
    hash       BLOB    PRIMARY KEY, -- the SHA-256 of what the browser has
    token      TEXT    NOT NULL REFERENCES tokens (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_of_token ON sessions (token, created_at);

-- What the token was called that published a deployment first; NULL for those of earlier versions.
ALTER TABLE deployments ADD COLUMN published_by TEXT;
