"""The managers' admin: a JSON API and pages over the same functions."""
