-- The journal is the state; every other table is a projection that can be rebuilt from it.
CREATE TABLE identity (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

CREATE TABLE journal (
    seq           INTEGER PRIMARY KEY,
    cycle_id      INTEGER NOT NULL,
    at_ms         INTEGER NOT NULL,
    kind          TEXT    NOT NULL,
    body          TEXT    NOT NULL,
    config_digest TEXT    NOT NULL,
    prev_hash     TEXT    NOT NULL,
    hash          TEXT    NOT NULL UNIQUE
) STRICT;
CREATE INDEX journal_by_cycle ON journal (cycle_id, kind);

CREATE TABLE cycles (
    cycle_id    INTEGER PRIMARY KEY,
    decision_ms INTEGER NOT NULL UNIQUE,
    placed      INTEGER NOT NULL,
    refused     INTEGER NOT NULL,
    fills       INTEGER NOT NULL,
    problem     TEXT    NOT NULL
) STRICT;

CREATE TABLE halt (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    body     TEXT NOT NULL,
    checksum TEXT NOT NULL
) STRICT;
