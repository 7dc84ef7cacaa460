-- What a host keeps for a project besides its deployments: variables, and who may see its sites.

-- Every value that a variable was given and that some deployment still runs with. Values are sealed under the host's key, with all
-- that a row says about itself, so that no row can stand for another.
CREATE TABLE variables (
    version    INTEGER PRIMARY KEY AUTOINCREMENT, -- grows over all variables; a value is never changed
    project    TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    target     TEXT    NOT NULL, -- production, preview or development
    branch     TEXT,             -- of previews, the only branch that it is for
    kind       TEXT    NOT NULL, -- secret or plain: whether it may be read
    key_id     TEXT,             -- names the key that seals it; nothing where the variable was removed
    nonce      BLOB,
    sealed     BLOB,
    size_bytes INTEGER NOT NULL, -- of name and value
    set_at     INTEGER NOT NULL
) STRICT;

CREATE INDEX variables_of_project ON variables (project, target, name);

-- What the functions of a deployment find set, as its last publish decided. Where there is no row: what the deployment says of itself,
-- and no variable.
CREATE TABLE deployment_environments (
    deployment TEXT    PRIMARY KEY REFERENCES deployments (id) ON DELETE CASCADE,
    project    TEXT    NOT NULL,
    target     TEXT    NOT NULL, -- production or preview
    branch     TEXT,
    variables  INTEGER NOT NULL  -- the newest version of a variable that it sees
) STRICT, WITHOUT ROWID;

CREATE INDEX environments_of_project ON deployment_environments (project, target, variables);

-- Who may see the sites of a project. Where there is no row: everybody.
CREATE TABLE protection (
    project     TEXT    PRIMARY KEY,
    mode        TEXT    NOT NULL, -- off, token or password
    coverage    TEXT    NOT NULL, -- previews or everything
    password    TEXT,             -- hashed by argon2id
    bypass      BLOB    NOT NULL, -- the SHA-256 of the secret that lets programs in
    cookie_key  BLOB    NOT NULL, -- signs the cookies of those who were let in; another one sends all of them out
    changed_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
