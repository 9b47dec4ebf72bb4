-- What interfaces counted when they were last read, and what that came to since the time before. Times
-- are milliseconds since 1970-01-01 UTC, those of the agent hundredths of a second of sysUpTime.

-- One row a device: all its interfaces are read together.
CREATE TABLE counter_readings (
    device       INTEGER NOT NULL PRIMARY KEY REFERENCES devices (number),
    read_at      INTEGER NOT NULL,
    engine_id    TEXT,
    engine_boots INTEGER,
    CHECK ((engine_id IS NULL) = (engine_boots IS NULL))
) STRICT;

-- One row an interface. Octets of a Counter64 beyond 2^63 are negative: they have all 64 bits.
CREATE TABLE interface_counters (
    device              INTEGER NOT NULL REFERENCES counter_readings (device) ON DELETE CASCADE,
    if_index            INTEGER NOT NULL,
    uptime              INTEGER,
    bits                INTEGER NOT NULL CHECK (bits IN (32, 64)),
    in_octets           INTEGER,
    out_octets          INTEGER,
    in_errors           INTEGER,
    out_errors          INTEGER,
    in_discards         INTEGER,
    out_discards        INTEGER,
    discontinuity       INTEGER,
    speed               INTEGER,
    -- What went through it, since when, in how much time of the agent, and why something is not known.
    since               INTEGER,
    elapsed             INTEGER,
    in_octets_passed    INTEGER,
    out_octets_passed   INTEGER,
    in_errors_passed    INTEGER,
    out_errors_passed   INTEGER,
    in_discards_passed  INTEGER,
    out_discards_passed INTEGER,
    reason              TEXT,
    PRIMARY KEY (device, if_index)
) STRICT, WITHOUT ROWID;
