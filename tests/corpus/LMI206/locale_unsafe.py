"""Prices as they are written in the caller's country, and in everybody else's from now on."""
# mode: thread
import locale


def handler(event, context):
    locale.setlocale(locale.LC_ALL, event["locale"])  # unsafe: LMI206
    return locale.currency(event["price"], grouping=True)
