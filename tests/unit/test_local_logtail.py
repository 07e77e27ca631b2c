from __future__ import annotations

import base64

from polylambda.local.logtail import LIMIT, LogTail


def tail_of(log: LogTail, request_id: str) -> str:
    data = log.result(request_id, version="$LATEST", duration=0.0123, memory_size=128)
    return base64.b64decode(data).decode()


def test_lines_of_one_invocation_with_aws_lines_around():
    log = LogTail()
    log.add(b"before")
    log.begin("id-1")
    log.add(b"during")
    assert tail_of(log, "id-1") == (
        "START RequestId: id-1 Version: $LATEST\n"
        "during\n"
        "END RequestId: id-1\n"
        "REPORT RequestId: id-1\tDuration: 12.30 ms\tBilled Duration: 13 ms\tMemory Size: 128 MB\t\n"
    )


def test_only_the_end_is_kept():
    log = LogTail()
    log.begin("id-1")
    for number in range(LIMIT):
        log.add(b"line %d" % number)
    told = tail_of(log, "id-1")
    assert len(told) == LIMIT
    assert f"line {LIMIT - 1}\nEND RequestId" in told


def test_a_line_with_an_id_belongs_to_its_invocation():
    log = LogTail()
    for request_id in ("id-1", "id-2"):
        log.begin(request_id)
    log.add(b"of id-1")
    log.add(b"of id-2")
    log.add(b"of whomever")
    assert "of id-2" not in tail_of(log, "id-1")
    assert "of id-1" in tail_of(log, "id-1")
    assert "of whomever" in tail_of(log, "id-1")
    assert "of whomever" in tail_of(log, "id-2")


def test_what_has_ended_is_forgotten():
    log = LogTail()
    log.begin("id-1")
    log.end("id-1")
    log.end("id-1")
    log.add(b"after")
    assert "after" not in tail_of(log, "id-1")
