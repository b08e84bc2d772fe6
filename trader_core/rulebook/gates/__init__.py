"""The gates, one module per question. Each judges one draft and returns (status, lots, value, limit); it may shrink
the lots, never enlarge them, and it touches nothing. Units of value and limit stand in codes.GATES."""
