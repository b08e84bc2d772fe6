"""The Parquet store of closed candles: one venue's folder, read as it is and resampled up to the base bar."""

from trader_core.candles.checking import CheckedFile, Finding, Gap, ListedFile, check_folder, list_folder
from trader_core.candles.folder import FolderSource, open_folder
from trader_core.candles.importing import Conflict, Imported, ImportedFile, import_files

__all__ = [
    "CheckedFile",
    "Conflict",
    "Finding",
    "FolderSource",
    "Gap",
    "Imported",
    "ImportedFile",
    "ListedFile",
    "check_folder",
    "import_files",
    "list_folder",
    "open_folder",
]
