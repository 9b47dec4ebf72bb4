-- Times are milliseconds since 1970-01-01 UTC. Lists are JSON arrays.

-- "pdNB": this file is a pdsno NIB.
PRAGMA application_id = 0x70644e42;

CREATE TABLE devices (
    number           INTEGER NOT NULL PRIMARY KEY,
    device_id        TEXT GENERATED ALWAYS AS (printf('nib-dev-%06d', number)) VIRTUAL,
    mac              TEXT UNIQUE,
    addresses        TEXT NOT NULL,
    hostname         TEXT,
    vendor           TEXT,
    device_type      TEXT NOT NULL,
    firmware         TEXT,
    region           TEXT,
    local_controller TEXT,
    status           TEXT NOT NULL,
    first_seen       INTEGER NOT NULL,
    last_seen        INTEGER NOT NULL,
    missed_cycles    INTEGER NOT NULL,
    methods          TEXT NOT NULL,
    rtt_ns           INTEGER,
    version          INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL
) STRICT;

CREATE TABLE device_facts (
    device      INTEGER NOT NULL REFERENCES devices (number),
    kind        TEXT NOT NULL,
    source      TEXT NOT NULL,
    value       TEXT NOT NULL,
    protocol    TEXT,
    observed_at INTEGER NOT NULL,
    PRIMARY KEY (device, kind, source)
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
    seq        INTEGER NOT NULL PRIMARY KEY,
    event_type TEXT NOT NULL,
    actor      TEXT NOT NULL,
    subject    TEXT NOT NULL,
    timestamp  INTEGER NOT NULL,
    payload    TEXT NOT NULL
) STRICT;

-- For the newest event of a type; a row of it ends in seq.
CREATE INDEX events_by_type ON events (event_type);

CREATE TRIGGER events_are_gapless BEFORE INSERT ON events
WHEN NEW.seq IS NOT (SELECT coalesce(max(seq) + 1, 0) FROM events)
BEGIN
    SELECT RAISE(ABORT, 'events are appended without gaps');
END;

CREATE TRIGGER events_are_never_changed BEFORE UPDATE ON events
BEGIN
    SELECT RAISE(ABORT, 'events are never changed');
END;

CREATE TRIGGER events_are_never_deleted BEFORE DELETE ON events
BEGIN
    SELECT RAISE(ABORT, 'events are never deleted');
END;

-- One row: what must not be derived from the other tables.
CREATE TABLE counters (
    only        INTEGER NOT NULL PRIMARY KEY CHECK (only = 1),
    next_device INTEGER NOT NULL
) STRICT;

INSERT INTO counters (only, next_device) VALUES (1, 1);
