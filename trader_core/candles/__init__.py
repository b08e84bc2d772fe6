"""Closed candles in Parquet, one folder a venue."""
