"""The only place that calls CloudPayments over the network; imported by the worker's tasks alone."""

from providers.cloudpayments.client.adapter import CloudPaymentsClient
from providers.cloudpayments.client.transport import LONGEST_CALL_SECONDS

__all__ = ["LONGEST_CALL_SECONDS", "CloudPaymentsClient"]
