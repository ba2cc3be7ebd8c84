"""The managers' pages: HTML over the functions that the admin's JSON API calls."""
