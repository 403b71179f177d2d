"""Records that outlive the process: consents, saved voices and listening tests."""

from app.db.engine import Database, open_database
from app.db.store import SavedVoice, Store

__all__ = ["Database", "SavedVoice", "Store", "open_database"]
