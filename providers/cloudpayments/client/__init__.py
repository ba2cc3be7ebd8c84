"""The only place that calls CloudPayments over the network; imported by the worker's tasks alone."""

from providers.cloudpayments.client.adapter import CloudPaymentsClient
from providers.cloudpayments.client.transport import longest_call_seconds

__all__ = ["CloudPaymentsClient", "longest_call_seconds"]
