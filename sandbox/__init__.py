"""Provider twins: servers that speak a provider's wire, for demos and tests.

The product never imports them, and they never import the product.
"""
