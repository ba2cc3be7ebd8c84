"""CloudPayments: amounts, answers, callbacks and widget parameters, all pure; the network is in `client`.

Wire: https://developers.cloudpayments.ru. Money there is roubles with at most two decimals.
"""
