"""What listens to the bus: the log of events, planned messages, the search index. Never writes billing state."""
