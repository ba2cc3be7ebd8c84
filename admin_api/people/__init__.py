"""People of the studio: who is signed in, how they come in and leave, what they may be given.

Sign-ins, tokens, invitations and members are written here directly, each with its audit row in the same
transaction. Nothing here is a machine's state, and no secret is stored: passwords and tokens are hashes.
"""
