-- What was moved into closed files: rows `first` to `last` of the journal, whole. Decisions of those rows lose their
-- bodies here, and candles that open before `floor_ms`, which no later decision needs, go. `digest` is the file's, `rest`
-- that of the line and of what those decisions keep. `shelved` says which file has a document that is not here any more.
CREATE TABLE segments (
    last     INTEGER PRIMARY KEY,
    first    INTEGER NOT NULL,
    until_ms INTEGER NOT NULL,
    floor_ms INTEGER NOT NULL,
    hash     TEXT    NOT NULL,
    digest   TEXT    NOT NULL,
    rest     TEXT    NOT NULL
) STRICT;

CREATE TABLE shelved (
    digest TEXT    PRIMARY KEY,
    last   INTEGER NOT NULL REFERENCES segments (last)
) STRICT, WITHOUT ROWID;

DROP TRIGGER journal_is_not_changed;
DROP TRIGGER inputs_are_not_deleted;
DROP TRIGGER bars_are_not_deleted;
DROP TRIGGER documents_are_not_deleted;
CREATE TRIGGER journal_is_not_changed BEFORE UPDATE ON journal WHEN NOT (
    OLD.kind = 'decided' AND OLD.seq <= (SELECT coalesce(max(last), 0) FROM segments) AND NEW.body = ''
    AND NEW.seq = OLD.seq AND NEW.cycle_id = OLD.cycle_id AND NEW.at_ms = OLD.at_ms AND NEW.kind = OLD.kind
    AND NEW.config_digest = OLD.config_digest AND NEW.prev_hash = OLD.prev_hash AND NEW.hash = OLD.hash
) BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER inputs_are_not_deleted BEFORE DELETE ON inputs
WHEN OLD.seq > (SELECT coalesce(max(last), 0) FROM segments) BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER bars_are_not_deleted BEFORE DELETE ON bars
WHEN OLD.seq > (SELECT coalesce(max(last), 0) FROM segments) BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER documents_are_not_deleted BEFORE DELETE ON documents
WHEN OLD.digest NOT IN (SELECT digest FROM shelved) BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER segments_follow_each_other BEFORE INSERT ON segments
WHEN NEW.last < NEW.first OR NEW.first <> (SELECT coalesce(max(last), 0) + 1 FROM segments)
BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER segments_are_not_changed BEFORE UPDATE ON segments BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER segments_are_not_deleted BEFORE DELETE ON segments BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER shelved_are_not_changed BEFORE UPDATE ON shelved BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER shelved_are_not_deleted BEFORE DELETE ON shelved BEGIN SELECT RAISE(ABORT, 'append-only'); END
