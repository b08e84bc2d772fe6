"""The Parquet store of closed candles: one venue's folder, read as it is and resampled up to the base bar."""

from trader_core.candles.folder import FolderSource, open_folder

__all__ = ["FolderSource", "open_folder"]
