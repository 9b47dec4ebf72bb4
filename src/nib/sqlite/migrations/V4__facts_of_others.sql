-- Facts that controllers below observed. Times are milliseconds since 1970-01-01 UTC.

-- The controller that observed it; none for the one whose NIB this is.
ALTER TABLE device_facts ADD COLUMN observer TEXT;

-- Whether `value` is the length and the digest of a value that was too long to be told.
ALTER TABLE device_facts ADD COLUMN withheld INTEGER NOT NULL DEFAULT 0 CHECK (withheld IN (0, 1));

-- For the root of a view, which needs no values.
CREATE INDEX device_facts_versions ON device_facts (device, kind, source, observed_at);

-- Which facts the reporter told, as a JSON array of [kind, source, time].
ALTER TABLE sightings ADD COLUMN facts TEXT NOT NULL DEFAULT '[]';
