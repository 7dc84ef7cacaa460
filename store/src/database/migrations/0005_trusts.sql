-- Which jobs of continuous integration get a token for no secret of the host's, and what it is good for.
CREATE TABLE trusts (
    id               TEXT    PRIMARY KEY,
    issuer           TEXT    NOT NULL, -- who vouches for them: github, gitlab, or an address
    subject          TEXT,             -- what has to hold of them; NULL where anything may
    repository       TEXT,
    branch           TEXT,
    environment      TEXT,
    role             TEXT    NOT NULL,
    project          TEXT    NOT NULL,
    lifetime         TEXT    NOT NULL, -- of their tokens
    created_at       INTEGER NOT NULL,
    created_by       TEXT    NOT NULL, -- the id of a token
    expires_at       INTEGER           -- when the token ends that made it, which can give away nothing for longer
) STRICT, WITHOUT ROWID;

-- The identities that a token was given for. Each is good for one, so they are kept for as long as their issuer lets them be used.
CREATE TABLE used_identities (
    hash  BLOB    PRIMARY KEY, -- the SHA-256 of issuer and name
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX used_identities_by_end ON used_identities (until);

-- The trust that a token was given for; NULL where somebody made it.
ALTER TABLE tokens ADD COLUMN trust TEXT;
