"""Conditioners: text behind the registry `TEXT_CONDITIONERS`, voice beside it."""
