"""Copies of the database that are encrypted, rotated, and proven by being restored."""
