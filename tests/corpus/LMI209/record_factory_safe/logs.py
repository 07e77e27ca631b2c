import logging
from contextvars import ContextVar

correlation = ContextVar("correlation", default="-")
_standard = logging.getLogRecordFactory()


def make(*args, **kwargs):
    record = _standard(*args, **kwargs)
    record.correlation = correlation.get()
    return record


logging.setLogRecordFactory(make)
