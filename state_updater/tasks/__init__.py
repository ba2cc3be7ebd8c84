"""The worker: Celery tasks that call payment providers, and the sweeps that find what is due.

The only rooms of the house where Celery is imported and where a provider's client is called. A task carries
ids only; what it does is decided by rows. Celery may lose a task or run it twice: rows make both harmless.
"""
