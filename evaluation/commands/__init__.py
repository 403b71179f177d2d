"""The statistics' command lines: thin, over `evaluation`'s functions; one module a command."""
