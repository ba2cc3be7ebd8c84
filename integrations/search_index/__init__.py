"""The search index: logged events go to Elasticsearch, where people look for them with Kibana.

It alone knows Elasticsearch. Nothing waits for it: what it has not taken stays in the log of events and is
sent again. Nothing is decided here, and nothing is ever read back.
"""

from integrations.search_index.indexer import Indexer

__all__ = ["Indexer"]
