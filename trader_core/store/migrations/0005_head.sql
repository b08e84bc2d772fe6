-- The row of the journal that was written last: a chain does not show that its end is missing.
CREATE TABLE head (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    seq  INTEGER NOT NULL,
    hash TEXT    NOT NULL
) STRICT;
INSERT INTO head SELECT 1, seq, hash FROM journal ORDER BY seq DESC LIMIT 1
