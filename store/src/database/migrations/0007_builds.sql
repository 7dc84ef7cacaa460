-- Who wrote the commit that a deployment was built from; NULL where nobody said.
ALTER TABLE deployments ADD COLUMN author TEXT;

-- What the build of a deployment said. It goes with its deployment.
CREATE TABLE build_logs (
    deployment     TEXT    PRIMARY KEY REFERENCES deployments (id) ON DELETE CASCADE,
    text           BLOB    NOT NULL, -- compressed with zstd
    left_out_bytes INTEGER NOT NULL  -- how much was said before it
) STRICT;
