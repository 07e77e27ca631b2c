"""Set at import, asked for by the handler; a library that takes the locale as an argument."""
# mode: thread
import locale

from babel.numbers import format_currency

locale.setlocale(locale.LC_ALL, "C.UTF-8")


def handler(event, context):
    return {
        "price": format_currency(event["price"], "EUR", locale=event["locale"]),
        "default": locale.getlocale(),
        "point": locale.localeconv()["decimal_point"],
    }
