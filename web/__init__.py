"""What the processes that answer HTTP share: the edge, strict reading, problems, hosts, the way of a command.

Called by `client_api` and `admin_api`. Nothing here knows who may do what, nor a resource of theirs.
"""
