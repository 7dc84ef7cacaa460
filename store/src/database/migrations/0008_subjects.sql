-- The first line of the message of the commit that a deployment was built from; NULL where nobody said.
ALTER TABLE deployments ADD COLUMN subject TEXT;
