"""The whole of one thing: its row, what belongs to it, and what happened to it. One module for each kind.

Each reads in one session behind the walls, a bounded number of rows of each kind. What the person may not
read elsewhere is not shown here either.
"""
