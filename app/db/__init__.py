"""Records that outlive the process: consents and saved voices."""

from app.db.store import SavedVoice, Store

__all__ = ["SavedVoice", "Store"]
