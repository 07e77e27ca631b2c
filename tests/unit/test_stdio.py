"""What `print` writes: whole lines, each invocation's and each thread's apart."""

from __future__ import annotations

import contextvars
import io
import json
import os
import threading

import pytest

from polylambda.context import CURRENT
from polylambda.stdio import LineStream, PlainStream, RecordStream


class Context:
    tenant_id = None

    def __init__(self, aws_request_id: str) -> None:
        self.aws_request_id = aws_request_id


class Collecting(LineStream):
    def __init__(self, original=None) -> None:
        super().__init__(original or io.StringIO())
        self.emitted: list = []

    def emit(self, text, context):
        self.emitted.append((text, context))


class MemorySink:
    def __init__(self) -> None:
        self.records: list = []

    def write(self, text, level=0, *, as_json=False):
        self.records.append((json.loads(text), level, as_json))


@pytest.fixture
def in_invocation():
    """Run a function as a part of the invocation of a context."""

    def run(context, function, *args):
        def call():
            CURRENT.set(context)
            return function(*args)

        return contextvars.copy_context().run(call)

    return run


def test_print_writes_one_line_at_once():
    stream = Collecting()
    print("a", "b", 3, file=stream)
    assert stream.emitted == [("a b 3\n", None)]


def test_partial_lines_are_joined():
    stream = Collecting()
    print("a", end="", file=stream)
    print("b", end="", file=stream)
    assert stream.emitted == []
    print("c", file=stream)
    assert stream.emitted == [("abc\n", None)]


def test_partial_lines_of_two_invocations_do_not_mix(in_invocation):
    stream = Collecting()
    one, two = Context("1"), Context("2")
    in_invocation(one, stream.write, "one ")
    in_invocation(two, stream.write, "two ")
    stream.write("none ")
    in_invocation(one, stream.write, "first\n")
    in_invocation(two, stream.write, "second\n")
    stream.write("of them\n")
    assert stream.emitted == [("one first\n", one), ("two second\n", two), ("none of them\n", None)]
    assert not stream.partial


def test_partial_lines_of_two_threads_of_an_invocation_do_not_mix():
    stream = Collecting()
    stream.write("one ")
    thread = threading.Thread(target=lambda: stream.write("two\n"))
    thread.start()
    thread.join()
    stream.write("line\n")
    assert [text for text, _ in stream.emitted] == ["two\n", "one line\n"]


def test_the_end_of_an_invocation_ends_its_lines_and_no_others(in_invocation):
    stream = Collecting()
    one, two = Context("1"), Context("2")
    in_invocation(one, stream.write, "one")
    in_invocation(two, stream.write, "two")
    thread = threading.Thread(target=in_invocation, args=(one, stream.write, "one in a thread"))
    thread.start()
    thread.join()
    stream.finish(one)
    assert stream.emitted == [("one\n", one), ("one in a thread\n", one)]
    stream.finish_all()
    assert stream.emitted[2:] == [("two\n", two)]


def test_endless_text_without_a_newline_is_not_kept_forever():
    stream = Collecting()
    for _ in range(100):
        stream.write("x" * 1000)
    assert len(stream.emitted) == 1
    assert sum(map(len, stream.partial.values())) < 65 * 1024


def test_other_questions_are_the_originals_to_answer(tmp_path):
    with open(tmp_path / "out", "w", encoding="latin-1") as original:
        stream = PlainStream(original, original.fileno())
        assert stream.fileno() == original.fileno()
        assert stream.isatty() is False
        assert stream.encoding == "latin-1"
        assert stream.buffer is original.buffer
        assert stream.writable()
        assert not stream.closed
        stream.reconfigure(encoding="utf-8")
        assert original.encoding == "utf-8"
        with pytest.raises(AttributeError):
            _ = stream.no_such_attribute


def test_only_text_can_be_written_and_its_length_is_told():
    stream = Collecting()
    assert stream.write("four") == 4
    assert stream.write("") == 0
    with pytest.raises(TypeError, match="must be str, not bytes"):
        stream.write(b"bytes")  # pyright: ignore[reportArgumentType]
    stream.writelines(["1\n", "2\n"])
    assert [text for text, _ in stream.emitted] == ["four1\n", "2\n"]


def test_plain_lines_go_to_the_descriptor_as_they_are_and_flush_writes_the_rest():
    reader, writer = os.pipe()
    with open(writer, "w") as original, open(reader, "rb", buffering=0) as received:
        stream = PlainStream(original, writer)
        print("a line", file=stream)
        assert received.read(100) == b"a line\n"
        print("one\ntwo", file=stream)
        assert received.read(100) == b"one\ntwo\n"
        print("half", end="", file=stream, flush=True)
        assert received.read(100) == b"half"
        stream.finish_all()  # nothing is left
        print("end", file=stream)
        assert received.read(100) == b"end\n"


def test_a_print_is_one_record(in_invocation):
    sink = MemorySink()
    stream = RecordStream(io.StringIO(), sink, 20)
    in_invocation(Context("req-1"), lambda: print("one\ntwo", file=stream, flush=True))
    [(fields, level, as_json)] = sink.records
    assert fields["message"] == "one\ntwo"
    assert fields["requestId"] == "req-1"
    assert (level, as_json) == (20, True)


def test_flush_does_not_end_a_record_and_an_empty_line_makes_none():
    sink = MemorySink()
    stream = RecordStream(io.StringIO(), sink, 20)
    for _ in range(3):
        print(".", end="", file=stream, flush=True)
    assert sink.records == []
    print(file=stream)
    print(file=stream)
    assert [fields["message"] for fields, _, _ in sink.records] == ["..."]


def test_the_rest_of_an_invocation_is_its_record_also_after_it_ended(in_invocation):
    sink = MemorySink()
    stream = RecordStream(io.StringIO(), sink, 20)
    context = Context("req-1")
    in_invocation(context, stream.write, "half a line")
    stream.finish(context)
    assert sink.records[0][0]["requestId"] == "req-1"


class Tagged:
    """A stream that puts request ids before lines, and what it has written."""

    def __init__(self) -> None:
        self._reader, writer = os.pipe()
        self._original = open(writer, "w")  # noqa: SIM115 # `close` does
        self.stream = PlainStream(self._original, writer, tag=True)

    def written(self):
        self.stream.flush()
        self._original.close()
        with open(self._reader) as received:
            return received.read()


def test_with_tags_every_line_of_an_invocation_carries_its_id(in_invocation):
    tagged = Tagged()
    one, two = Context("1"), Context("2")
    in_invocation(one, lambda: print("first", "second", file=tagged.stream))
    in_invocation(two, lambda: print("first\nsecond\n\nlast", file=tagged.stream))
    print("nobody's\nlines", file=tagged.stream)
    in_invocation(one, lambda: print(file=tagged.stream))
    assert tagged.written() == "1\tfirst second\n2\tfirst\n2\tsecond\n2\t\n2\tlast\nnobody's\nlines\n1\t\n"


def test_with_tags_json_stays_json(in_invocation):
    tagged = Tagged()
    one = Context("1")
    in_invocation(one, lambda: print(json.dumps({"a": 1}), file=tagged.stream))
    in_invocation(one, lambda: print('{"b": 2}\n{"c": 3}', file=tagged.stream))
    in_invocation(one, lambda: print("no {json}", file=tagged.stream))
    assert tagged.written() == '{"a": 1}\n{"b": 2}\n{"c": 3}\n1\tno {json}\n'


def test_with_tags_a_line_that_is_begun_is_nobody_elses_to_end(in_invocation):
    tagged = Tagged()
    one, two = Context("1"), Context("2")
    for _ in range(3):
        for context in (one, two):
            in_invocation(context, lambda: print(".", end="", flush=True, file=tagged.stream))
    in_invocation(two, lambda: print(" done", file=tagged.stream))
    tagged.stream.finish(one)
    assert tagged.written() == "2\t... done\n1\t...\n"


def test_without_tags_lines_are_as_they_were_printed(in_invocation):
    reader, writer = os.pipe()
    with open(writer, "w") as original, open(reader, "rb", buffering=0) as received:
        stream = PlainStream(original, writer)
        in_invocation(Context("1"), lambda: print("one\ntwo", file=stream))
        assert received.read(100) == b"one\ntwo\n"
