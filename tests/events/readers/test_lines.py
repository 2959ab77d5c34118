"""Lines as offsets, compared with Python's own splitting."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interest_graph.events.readers import lines

TEXTS = st.lists(st.sampled_from([b"a", b"\n", b"\r", b" ", b"\t", b"\xff", "é ".encode()]))


def cut(window):
    starts, ends = lines.line_bounds(window)
    return [window[s:e] for s, e in zip(starts.tolist(), ends.tolist(), strict=True)]


@settings(deadline=None)
@given(TEXTS.map(b"".join))
def test_lines_are_those_between_line_feeds(window):
    expected = window.split(b"\n")
    expected = expected[:-1] if expected[-1] == b"" else expected

    assert cut(window) == [line.removesuffix(b"\r") for line in expected]


@settings(deadline=None)
@given(TEXTS.map(b"".join))
def test_blank_lines_and_texts(window):
    bounds = lines.line_bounds(window)

    assert lines.is_blank(window, *bounds).tolist() == [not line.strip() for line in cut(window)]
    assert lines.as_strings(window, *bounds).to_pylist() == [
        line.decode("utf-8", "backslashreplace") for line in cut(window)
    ]
    assert lines.not_utf8(lines.as_binaries(window, *bounds).view("large_string")).tolist() == [
        n for n, line in enumerate(cut(window)) if b"\xff" in line
    ]


@pytest.mark.parametrize(("base", "expected"), [(0, 3), (9, 0)])
def test_only_the_start_of_a_file_has_a_byte_order_mark(base, expected):
    assert lines.after_bom(b"\xef\xbb\xbfa", base) == expected
