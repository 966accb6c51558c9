"""Lines of what a command prints: the same however it arrives, and never too many."""

import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siffra.engine.command.output import LONGEST, Lines, Tail


def read(*chunks: bytes) -> tuple[list[str], tuple[str, ...]]:
    """Lines, and what is left as tail."""
    tail = Tail()
    lines = Lines(tail)
    found = [line for chunk in chunks for line in lines.feed(chunk)] + lines.finish()
    return found, tail.lines()


@given(st.text(st.sampled_from("aé€\r\n 𝄞\x1b[0m"), max_size=60), st.data())
def test_lines_do_not_depend_on_how_they_arrive(text, data):
    encoded = text.encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(encoded)), max_size=5)))
    chunks = [encoded[a:b] for a, b in zip([0, *cuts], [*cuts, len(encoded)], strict=True)]

    lines, tail = read(*chunks)
    whole, whole_tail = read(encoded)

    assert [line for line in lines if line] == [line for line in whole if line]
    assert tail == whole_tail


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_both_ends_of_lines_are_known(end):
    lines, tail = read(f"one{end}two{end}{end}three".encode())

    assert [line for line in lines if line] == ["one", "two", "three"]
    assert tail == ("one", "two", "three")


def test_a_progress_bar_is_read_as_it_goes_and_leaves_its_last_state():
    tail = Tail()
    lines = Lines(tail)

    assert lines.feed(b"start\n 10%\r 20%\r 30%") == ["start", " 10%", " 20%"]
    assert [line for line in lines.feed(b"\r100%\ndone\n") if line] == [" 30%", "100%", "done"]
    assert tail.lines() == ("start", "100%", "done")


def test_bytes_that_are_no_text_are_replaced():
    assert read(b"a\xff\xfeb\n", b"\xe2\x82")[0] == ["a\ufffd\ufffdb", "\ufffd"]


def test_a_letter_may_arrive_in_two_halves():
    encoded = "€\n".encode()

    assert read(encoded[:1], encoded[1:])[0] == ["€"]


def test_colours_are_left_out():
    assert read(b"loss: \x1b[1;36m0.25\x1b[0m\x1b]0;title\x07 ok\n")[0] == ["loss: 0.25 ok"]


def test_the_tail_has_the_last_twenty_lines_without_control_characters():
    lines, tail = read(*(f"line {i}\n\n".encode() for i in range(100)), b"a\0b\x07\tc\n")

    assert len(lines) == 201
    assert tail == (*(f"line {i}" for i in range(81, 100)), "a�b�\tc")


def test_the_tail_cuts_long_lines():
    assert read(b"x" * 1000)[1] == ("x" * 499 + "…",)


def test_a_line_that_is_too_long_is_left_out_whole():
    lines, tail = read(b'{"a": 1, "b": "', b"x" * LONGEST, b'"}\nnext\n')

    assert lines == ["next"]
    assert tail[0].startswith('{"a": 1')


def test_endless_output_takes_bounded_memory():
    lines, chunk = Lines(Tail()), b"x" * 2**16
    tracemalloc.start()
    try:
        for _ in range(200):
            assert lines.feed(chunk) == []
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 8 * LONGEST  # one line, and copies of it


def test_a_mark_of_byte_order_is_no_part_of_the_first_line():
    assert read(b"\xef\xbb\xbf{}\n")[0] == ["{}"]


def test_a_line_without_end_takes_no_longer_the_longer_it_is():
    lines, chunk = Lines(Tail()), b"x" * 2**16
    for _ in range(2**20 // 2**16 + 1):
        lines.feed(chunk)
    started = time.process_time()
    for _ in range(1000):
        assert lines.feed(chunk) == []
    # Where all of the line was copied each time it took twenty times as long as the chunks alone.
    assert time.process_time() - started < 0.5
    assert lines.feed(b"x\nnext\n") == ["next"]
    assert lines.feed(chunk * 17) == lines.finish() == []
