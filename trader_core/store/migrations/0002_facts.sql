-- Facts say more from here on: terms and tries of orders, peaks, cursors of cash flows. No table changes.
CREATE INDEX journal_by_kind ON journal (kind, seq)
