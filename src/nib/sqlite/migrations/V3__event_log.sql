-- The event log as entries of a Merkle tree (RFC 6962). A hash is a blob of 32 octets, a signature
-- one of 64. Times are milliseconds since 1970-01-01 UTC.

-- One row once the log is open: whose it is, and the right edge of its tree, the roots of the
-- complete subtrees, the largest first.
CREATE TABLE event_log (
    only   INTEGER NOT NULL PRIMARY KEY CHECK (only = 1),
    origin TEXT NOT NULL,
    size   INTEGER NOT NULL,
    peaks  BLOB NOT NULL
) STRICT;

CREATE TRIGGER event_log_keeps_its_origin BEFORE UPDATE OF origin ON event_log
BEGIN
    SELECT RAISE(ABORT, 'a log keeps its origin');
END;

CREATE TRIGGER event_log_is_never_deleted BEFORE DELETE ON event_log
BEGIN
    SELECT RAISE(ABORT, 'a log is never deleted');
END;

-- Payloads that are too long for a body, by their digest.
CREATE TABLE payloads (
    digest BLOB NOT NULL PRIMARY KEY,
    octets BLOB NOT NULL
) STRICT;

-- REPLACE would delete without a word.
CREATE TRIGGER payloads_are_kept_once BEFORE INSERT ON payloads
WHEN EXISTS (SELECT 1 FROM payloads WHERE digest = NEW.digest)
BEGIN
    SELECT RAISE(ABORT, 'payloads are never changed');
END;

CREATE TRIGGER payloads_are_never_changed BEFORE UPDATE ON payloads
BEGIN
    SELECT RAISE(ABORT, 'payloads are never changed');
END;

CREATE TRIGGER payloads_are_never_deleted BEFORE DELETE ON payloads
BEGIN
    SELECT RAISE(ABORT, 'payloads are never deleted');
END;

-- The body last: who reads leaf hashes does not read bodies.
CREATE TABLE log_entries (
    seq       INTEGER NOT NULL PRIMARY KEY REFERENCES events (seq),
    event_id  TEXT NOT NULL UNIQUE,
    leaf      BLOB NOT NULL,
    signature BLOB NOT NULL,
    payload   BLOB REFERENCES payloads (digest),
    body      BLOB NOT NULL
) STRICT;

CREATE TRIGGER log_entries_are_gapless BEFORE INSERT ON log_entries
WHEN NEW.seq IS NOT (SELECT coalesce(max(seq) + 1, 0) FROM log_entries)
BEGIN
    SELECT RAISE(ABORT, 'entries are appended without gaps');
END;

CREATE TRIGGER log_entries_have_their_own_id BEFORE INSERT ON log_entries
WHEN EXISTS (SELECT 1 FROM log_entries WHERE event_id = NEW.event_id)
BEGIN
    SELECT RAISE(ABORT, 'entries have ids of their own');
END;

CREATE TRIGGER log_entries_are_never_changed BEFORE UPDATE ON log_entries
BEGIN
    SELECT RAISE(ABORT, 'entries are never changed');
END;

CREATE TRIGGER log_entries_are_never_deleted BEFORE DELETE ON log_entries
BEGIN
    SELECT RAISE(ABORT, 'entries are never deleted');
END;

-- The hashes of complete subtrees of 256^level entries (C2SP tlog-tiles); level 0 is in log_entries.
CREATE TABLE log_tiles (
    level INTEGER NOT NULL,
    idx   INTEGER NOT NULL,
    hash  BLOB NOT NULL,
    PRIMARY KEY (level, idx)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER log_tiles_are_gapless BEFORE INSERT ON log_tiles
WHEN NEW.idx IS NOT (SELECT coalesce(max(idx) + 1, 0) FROM log_tiles WHERE level = NEW.level)
BEGIN
    SELECT RAISE(ABORT, 'tiles are appended without gaps');
END;

CREATE TRIGGER log_tiles_are_never_changed BEFORE UPDATE ON log_tiles
BEGIN
    SELECT RAISE(ABORT, 'tiles are never changed');
END;

CREATE TRIGGER log_tiles_are_never_deleted BEFORE DELETE ON log_tiles
BEGIN
    SELECT RAISE(ABORT, 'tiles are never deleted');
END;

-- Signed heads of this log and of others; cosignatures are added to a note.
CREATE TABLE heads (
    origin    TEXT NOT NULL,
    size      INTEGER NOT NULL,
    kind      TEXT NOT NULL,
    note      TEXT NOT NULL,
    stored_at INTEGER NOT NULL,
    PRIMARY KEY (origin, size)
) STRICT, WITHOUT ROWID;

-- Heads that do not go together.
CREATE TABLE evidence (
    number    INTEGER NOT NULL PRIMARY KEY,
    origin    TEXT NOT NULL,
    seen      TEXT NOT NULL,
    shown     TEXT NOT NULL,
    why       TEXT NOT NULL,
    stored_at INTEGER NOT NULL
) STRICT;

CREATE TRIGGER evidence_is_gapless BEFORE INSERT ON evidence
WHEN NEW.number IS NOT (SELECT coalesce(max(number) + 1, 0) FROM evidence)
BEGIN
    SELECT RAISE(ABORT, 'evidence is appended without gaps');
END;

CREATE TRIGGER evidence_is_never_changed BEFORE UPDATE ON evidence
BEGIN
    SELECT RAISE(ABORT, 'evidence is never changed');
END;

CREATE TRIGGER evidence_is_never_deleted BEFORE DELETE ON evidence
BEGIN
    SELECT RAISE(ABORT, 'evidence is never deleted');
END;
