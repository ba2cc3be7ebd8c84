"""The story of some customers, played over HTTP against a running installation: `python -m demo --help`.

`./run` starts it, and so may anybody. It is an ordinary client of the API, a payer at the provider's page,
and in places the studio's staff at the command line. It never imports the product.
"""
