-- Tokens get a name that is no secret, projects that they are for, and an end. Those that exist were the owner's: for all
-- projects, for ever. Ten digits of the hash of 256 random bits say nothing of them.

ALTER TABLE tokens RENAME TO tokens_without_scope;

CREATE TABLE tokens (
    id           TEXT    PRIMARY KEY,
    hash         BLOB    NOT NULL UNIQUE, -- the SHA-256 of the token; the token itself is nowhere
    name         TEXT    NOT NULL,
    role         TEXT    NOT NULL, -- viewer, deployer or admin
    project      TEXT,             -- the one that it is for, NULL for all
    created_at   INTEGER NOT NULL,
    created_by   TEXT,             -- the id of the token that made it, NULL where the host did
    expires_at   INTEGER,
    last_used_at INTEGER           -- written now and then
) STRICT, WITHOUT ROWID;

INSERT INTO tokens (id, hash, name, role, created_at)
SELECT lower(substr(hex(hash), 1, 10)), hash, name, role, created_at FROM tokens_without_scope;

DROP TABLE tokens_without_scope;

-- Which blobs were sent for a project by somebody who may see nothing else. Whoever has only a digest has no content, so
-- these are all that such a token can put into a deployment.
CREATE TABLE project_blobs (
    project TEXT NOT NULL,
    digest  BLOB NOT NULL,
    PRIMARY KEY (project, digest)
) STRICT, WITHOUT ROWID;

-- What was done to the host, by whom and from where.
CREATE TABLE audit_log (
    sequence   INTEGER PRIMARY KEY AUTOINCREMENT,
    at         INTEGER NOT NULL,
    token      TEXT,          -- the id of the token; NULL where the host did it
    token_name TEXT,
    peer       TEXT,          -- an IP address
    action     TEXT    NOT NULL,
    project    TEXT,
    resource   TEXT,          -- what of it: the id of a deployment or of a token
    outcome    TEXT    NOT NULL, -- done
    code       TEXT
) STRICT;

CREATE INDEX audit_of_project ON audit_log (project, sequence);

-- What nobody was let do. It has its own place, so that a flood of refusals pushes nothing out of the log above.
CREATE TABLE refusal_log (
    sequence   INTEGER PRIMARY KEY AUTOINCREMENT,
    at         INTEGER NOT NULL,
    token      TEXT,          -- the id of the token; NULL where the host does not know it
    token_name TEXT,
    peer       TEXT,
    action     TEXT    NOT NULL,
    project    TEXT,
    resource   TEXT,
    outcome    TEXT    NOT NULL, -- refused
    code       TEXT           -- the code of the error
) STRICT;

CREATE INDEX refusals_of_project ON refusal_log (project, sequence);

CREATE TRIGGER audit_log_is_never_changed BEFORE UPDATE ON audit_log
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;

CREATE TRIGGER refusal_log_is_never_changed BEFORE UPDATE ON refusal_log
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;

-- Only what is older than the newest so many entries may go.
CREATE TRIGGER audit_log_is_never_cut BEFORE DELETE ON audit_log
WHEN OLD.sequence > (SELECT max(sequence) FROM audit_log) - 100000
BEGIN
    SELECT RAISE(ABORT, 'the newest 100,000 entries of the audit log stay');
END;

CREATE TRIGGER refusal_log_is_never_cut BEFORE DELETE ON refusal_log
WHEN OLD.sequence > (SELECT max(sequence) FROM refusal_log) - 10000
BEGIN
    SELECT RAISE(ABORT, 'the newest 10,000 refusals stay');
END;
