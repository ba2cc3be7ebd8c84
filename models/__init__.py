"""The tables: what rows there are, what Postgres itself refuses, and the migrations that get there.

The migrations' SQL is the truth; the classes mirror it for reading. No query and no decision lives here.
"""
