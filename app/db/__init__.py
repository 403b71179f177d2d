"""Records that outlive the process: consents, saved voices and listening tests."""

from app.db.engine import Database, open_database
from app.db.hub_copy import HubCopy
from app.db.records import open_from, open_records
from app.db.store import SavedVoice, Store

__all__ = ["Database", "HubCopy", "SavedVoice", "Store", "open_database", "open_from", "open_records"]
