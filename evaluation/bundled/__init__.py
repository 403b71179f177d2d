"""Reports on the bundled models: `python -m evaluation bundled intelligibility|cloning|codec`."""
