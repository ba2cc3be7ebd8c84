"""Everything that listens to events: their log, the planning of messages, the search index.

Run by `python -m integrations`; no other room calls it, and nothing here sends a command.
"""
