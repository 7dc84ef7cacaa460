-- Who this host is to an authority of certificates: its account's key and address, as a document of the library that speaks to it.
CREATE TABLE acme_accounts (
    directory   TEXT    PRIMARY KEY, -- the authority's URL
    credentials TEXT    NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The certificates that the host got for itself.
CREATE TABLE certificates (
    name        TEXT    PRIMARY KEY, -- the host name, or `*.` and a domain
    directory   TEXT    NOT NULL,
    chain       TEXT    NOT NULL, -- PEM
    private_key TEXT    NOT NULL, -- PEM
    obtained_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Names of the world that lead to projects, or are to: several may claim a name until one of them proves that it is theirs.
CREATE TABLE domains (
    name        TEXT    NOT NULL, -- in lower case, in the form that stands in the DNS
    project     TEXT    NOT NULL,
    redirect_to TEXT,             -- the name that visitors are led to; the project's production where there is none
    proof       TEXT    NOT NULL, -- what a TXT record has to say: another one for each time that a project claims a name
    added_at    INTEGER NOT NULL,
    verified_at INTEGER,          -- it is served from then on
    PRIMARY KEY (name, project)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX one_project_per_domain ON domains (name) WHERE verified_at IS NOT NULL;
CREATE INDEX domains_of_project ON domains (project);

-- Names that were given up. Whatever still leads to the host under one of them must not become somebody else's.
CREATE TABLE released_domains (
    name        TEXT    PRIMARY KEY,
    project     TEXT    NOT NULL,
    released_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
