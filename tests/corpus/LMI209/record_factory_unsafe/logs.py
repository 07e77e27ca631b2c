import logging

_standard = logging.getLogRecordFactory()


def correlate(correlation):
    def make(*args, **kwargs):
        record = _standard(*args, **kwargs)
        record.correlation = correlation
        return record

    logging.setLogRecordFactory(make)  # unsafe: LMI209
