-- On the wall clock a bar's end may have several cycles: one that decides, and those that care for what it left.
CREATE TABLE cycles_new (
    cycle_id    INTEGER PRIMARY KEY,
    decision_ms INTEGER NOT NULL,
    placed      INTEGER NOT NULL,
    refused     INTEGER NOT NULL,
    fills       INTEGER NOT NULL,
    problem     TEXT    NOT NULL
) STRICT;
INSERT INTO cycles_new SELECT cycle_id, decision_ms, placed, refused, fills, problem FROM cycles;
DROP TABLE cycles;
ALTER TABLE cycles_new RENAME TO cycles;
CREATE INDEX cycles_by_decision ON cycles (decision_ms)
