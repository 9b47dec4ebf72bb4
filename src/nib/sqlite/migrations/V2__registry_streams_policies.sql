-- Times are milliseconds since 1970-01-01 UTC. Names, keys and signed documents are text.

-- The number of the next certificate; a trust root's own is 1.
ALTER TABLE counters ADD COLUMN next_serial INTEGER NOT NULL DEFAULT 2;

-- Who this controller is: one row, none before it has a name.
CREATE TABLE membership (
    only          INTEGER NOT NULL PRIMARY KEY CHECK (only = 1),
    cluster       TEXT NOT NULL,
    controller_id TEXT NOT NULL,
    role          TEXT NOT NULL CHECK (role IN ('global', 'regional', 'local')),
    region        TEXT CHECK ((region IS NULL) = (role = 'global')),
    parent        TEXT,
    pin           TEXT NOT NULL,
    chain         TEXT NOT NULL,
    serial        INTEGER NOT NULL,
    key_file      TEXT NOT NULL,
    next_key_file TEXT,
    next_chain    TEXT CHECK (next_chain IS NULL OR next_key_file IS NOT NULL),
    epoch         INTEGER NOT NULL,
    since         INTEGER NOT NULL,
    version       INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL
) STRICT;

-- Never the secret.
CREATE TABLE bootstrap_tokens (
    token_id       BLOB NOT NULL PRIMARY KEY CHECK (length(token_id) = 12),
    secret_hash    TEXT NOT NULL,
    role           TEXT NOT NULL CHECK (role IN ('regional', 'local')),
    region         TEXT NOT NULL,
    issued_at      INTEGER NOT NULL,
    expires_at     INTEGER NOT NULL,
    wrong_attempts INTEGER NOT NULL CHECK (wrong_attempts BETWEEN 0 AND 255),
    revoked_at     INTEGER,
    used_at        INTEGER CHECK (used_at IS NULL OR revoked_at IS NULL),
    used_by_key    TEXT CHECK ((used_by_key IS NULL) = (used_at IS NULL)),
    used_as        TEXT CHECK ((used_as IS NULL) = (used_at IS NULL)),
    updated_at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The numbers that the next names of a region have. No number is given twice.
CREATE TABLE names (
    slug          TEXT NOT NULL PRIMARY KEY,
    region        TEXT NOT NULL UNIQUE,
    next_regional INTEGER NOT NULL CHECK (next_regional >= 1),
    next_local    INTEGER NOT NULL CHECK (next_local >= 1)
) STRICT, WITHOUT ROWID;

CREATE TABLE controllers (
    controller_id   TEXT NOT NULL PRIMARY KEY,
    role            TEXT NOT NULL CHECK (role IN ('regional', 'local')),
    region          TEXT NOT NULL REFERENCES names (region),
    expires_at      INTEGER NOT NULL,
    standing        TEXT NOT NULL,
    standing_reason TEXT,
    validated_by    TEXT NOT NULL,
    validated_at    INTEGER NOT NULL,
    token_id        BLOB NOT NULL UNIQUE REFERENCES bootstrap_tokens (token_id),
    metadata        TEXT NOT NULL,
    policy_version  INTEGER,
    last_contact    INTEGER,
    version         INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- For the quota.
CREATE INDEX controllers_by_region ON controllers (region, role, standing);

-- The certificate that a controller has, and the one that it may begin to use: no two have one
-- number or one key.
CREATE TABLE certificates (
    serial        INTEGER NOT NULL PRIMARY KEY CHECK (serial >= 2),
    controller_id TEXT NOT NULL REFERENCES controllers (controller_id),
    is_next       INTEGER NOT NULL CHECK (is_next IN (0, 1)),
    public_key    TEXT NOT NULL UNIQUE,
    certificate   TEXT NOT NULL,
    delegation    TEXT,
    UNIQUE (controller_id, is_next)
) STRICT;

CREATE TABLE blocklist (
    kind   TEXT NOT NULL CHECK (kind IN ('key', 'source')),
    value  TEXT NOT NULL,
    reason TEXT NOT NULL,
    at     INTEGER NOT NULL,
    PRIMARY KEY (kind, value)
) STRICT, WITHOUT ROWID;

-- How far the streams of this controller are.
CREATE TABLE streams (
    stream       TEXT NOT NULL PRIMARY KEY,
    last         INTEGER NOT NULL,
    acknowledged INTEGER NOT NULL CHECK (acknowledged BETWEEN 0 AND last)
) STRICT, WITHOUT ROWID;

-- What waits to be acknowledged.
CREATE TABLE outbox (
    stream TEXT NOT NULL REFERENCES streams (stream),
    seq    INTEGER NOT NULL CHECK (seq >= 1),
    body   TEXT NOT NULL,
    at     INTEGER NOT NULL,
    PRIMARY KEY (stream, seq)
) STRICT;

-- The last item of others' streams that was applied.
CREATE TABLE received (
    controller_id TEXT NOT NULL,
    stream        TEXT NOT NULL,
    seq           INTEGER NOT NULL CHECK (seq >= 1),
    updated_at    INTEGER NOT NULL,
    PRIMARY KEY (controller_id, stream)
) STRICT, WITHOUT ROWID;

-- Which device of a controller below is which of ours.
CREATE TABLE sightings (
    reporter  TEXT NOT NULL,
    reported  INTEGER NOT NULL,
    device    INTEGER NOT NULL REFERENCES devices (number),
    last_seen INTEGER NOT NULL,
    is_active INTEGER NOT NULL CHECK (is_active IN (0, 1)),
    told_by   INTEGER NOT NULL,
    PRIMARY KEY (reporter, reported)
) STRICT, WITHOUT ROWID;

-- A row of it ends in reporter and reported.
CREATE INDEX sightings_by_device ON sightings (device);

-- The one with the highest version is in effect.
CREATE TABLE policies (
    version    INTEGER NOT NULL PRIMARY KEY CHECK (version >= 1),
    document   TEXT NOT NULL,
    issued_at  INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    taken_at   INTEGER NOT NULL
) STRICT;
