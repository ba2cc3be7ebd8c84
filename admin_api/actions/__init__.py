"""What staff may do, one function per button: rooms of actions and their type.

The table of them all is in `admin_api.actions.registry`. Nothing is imported here, so that other rooms may
declare actions of their own.
"""
