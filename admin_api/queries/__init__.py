"""What the admin reads beside its lists: the whole of one thing, names, look-ups, operations."""
