-- Times are microseconds since 1970. Ids, digests and names stand in their text form, so that an operator can read them.

CREATE TABLE deployments (
    sequence    INTEGER PRIMARY KEY AUTOINCREMENT, -- the order in which they were published, whatever the clock said
    id          TEXT    NOT NULL UNIQUE,
    project     TEXT    NOT NULL,
    target      TEXT    NOT NULL,
    branch      TEXT,
    commit_id   TEXT,
    created_at  INTEGER NOT NULL,
    manifest    TEXT    NOT NULL, -- the digest of a blob
    size_bytes  INTEGER NOT NULL,
    own_label   TEXT    NOT NULL
) STRICT;

CREATE INDEX deployments_of_project ON deployments (project, sequence);

-- Every move that an alias ever made.
CREATE TABLE alias_log (
    sequence        INTEGER PRIMARY KEY AUTOINCREMENT,
    label           TEXT    NOT NULL,
    project         TEXT    NOT NULL,
    kind            TEXT    NOT NULL, -- production, branch or deployment
    branch          TEXT,
    from_deployment TEXT,
    to_deployment   TEXT,
    version         INTEGER NOT NULL,
    cause           TEXT    NOT NULL, -- publish, promote, rollback or remove
    moved_at        INTEGER NOT NULL,
    previous        INTEGER REFERENCES alias_log (sequence), -- the move that a rollback of this one returns to
    UNIQUE (label, version) -- two writers that saw the same version cannot both move the alias
) STRICT;

CREATE TRIGGER alias_log_is_never_changed BEFORE UPDATE ON alias_log
BEGIN
    SELECT RAISE(ABORT, 'the alias log is append-only');
END;

CREATE TRIGGER alias_log_is_never_cut BEFORE DELETE ON alias_log
BEGIN
    SELECT RAISE(ABORT, 'the alias log is append-only');
END;

-- Where each alias points now: the last row of its log, kept apart because every start of the host reads it.
CREATE TABLE aliases (
    label      TEXT    PRIMARY KEY,
    project    TEXT    NOT NULL,
    kind       TEXT    NOT NULL,
    branch     TEXT,
    deployment TEXT    NOT NULL REFERENCES deployments (id),
    version    INTEGER NOT NULL,
    moved_at   INTEGER NOT NULL,
    head       INTEGER NOT NULL REFERENCES alias_log (sequence)
) STRICT, WITHOUT ROWID;

CREATE INDEX aliases_of_deployment ON aliases (deployment);
CREATE UNIQUE INDEX one_production_per_project ON aliases (project) WHERE kind = 'production';
CREATE UNIQUE INDEX one_alias_per_branch ON aliases (project, branch) WHERE kind = 'branch';
CREATE INDEX aliases_of_project ON aliases (project);

-- Compressed forms of blobs. No variant: it was tried, and does not save enough.
CREATE TABLE variants (
    digest     TEXT    NOT NULL,
    encoding   TEXT    NOT NULL, -- br or gzip
    variant    TEXT,
    size_bytes INTEGER NOT NULL,
    PRIMARY KEY (digest, encoding)
) STRICT, WITHOUT ROWID;

CREATE INDEX variants_by_variant ON variants (variant) WHERE variant IS NOT NULL;

CREATE TABLE tokens (
    hash       BLOB    PRIMARY KEY, -- the SHA-256 of the token; the token itself is nowhere
    role       TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
