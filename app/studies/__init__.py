"""Listening tests: what a study is, whether it can be run, who hears what. No page, no engine, no web framework."""
