-- What every decision was given, and a shortcut to the book. The journal and these records are only ever added to.
CREATE TABLE documents (
    digest TEXT PRIMARY KEY,
    body   TEXT NOT NULL
) STRICT;

CREATE TABLE inputs (
    seq  INTEGER PRIMARY KEY REFERENCES journal (seq),
    body BLOB NOT NULL
) STRICT;

CREATE TABLE bars (
    symbol  TEXT    NOT NULL,
    open_ms INTEGER NOT NULL,
    seq     INTEGER NOT NULL,
    open    INTEGER NOT NULL,
    high    INTEGER NOT NULL,
    low     INTEGER NOT NULL,
    close   INTEGER NOT NULL,
    volume  INTEGER NOT NULL,
    mark    INTEGER NOT NULL,
    PRIMARY KEY (symbol, open_ms, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE checkpoint (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    seq      INTEGER NOT NULL,
    hash     TEXT    NOT NULL,
    code     TEXT    NOT NULL,
    body     TEXT    NOT NULL,
    checksum TEXT    NOT NULL
) STRICT;

CREATE TRIGGER journal_is_not_changed BEFORE UPDATE ON journal BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER journal_is_not_shortened BEFORE DELETE ON journal BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER documents_are_not_changed BEFORE UPDATE ON documents BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER documents_are_not_deleted BEFORE DELETE ON documents BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER inputs_are_not_changed BEFORE UPDATE ON inputs BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER inputs_are_not_deleted BEFORE DELETE ON inputs BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER bars_are_not_changed BEFORE UPDATE ON bars BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER bars_are_not_deleted BEFORE DELETE ON bars BEGIN SELECT RAISE(ABORT, 'append-only'); END
