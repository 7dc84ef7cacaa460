//! Blobs by digest, deployments, the alias log. The only writer below the data directory.
