"""A customer's few pages: what is sold here, what is mine, pay, and how the payment went.

Server-rendered in Russian or English; the home page's script uses the JSON API as any client does. The page
of a payment needs no sign-in: its address is the secret, and it shows a sum and nobody's name.
"""
