"""The MIME scanner: right offsets on sound messages, no failure on any."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stratamail.mail.structure import MAX_DEPTH, MAX_PARTS, Part, find, scan

MIXED = b"""Content-Type: multipart/mixed; boundary="x"

preamble
--x
Content-Type: text/plain; charset=utf-8
Content-Disposition: attachment; filename="a;b.txt"

hello

--x
Content-Type: message/rfc822

Subject: inner
Content-Type: multipart/alternative; boundary=y

--y

plain
--y
Content-Type: text/html
Content-Transfer-Encoding: base64

PGI+
--y--
--x--
epilogue
""".replace(b"\n", b"\r\n")


def body(data: bytes, part: Part | None) -> bytes:
    assert part is not None
    return data[part.body_start : part.body_end]


def test_parts_and_their_bytes() -> None:
    root = scan(MIXED)
    assert (root.type, root.subtype, len(root.children)) == (b"multipart", b"mixed", 2)
    assert body(MIXED, find(root, (1,))) == b"hello\r\n"
    first = find(root, (1,))
    assert first is not None
    assert first.lines == 1
    assert first.disposition == (b"attachment", ((b"filename", b"a;b.txt"),))
    assert body(MIXED, find(root, (2, 1))) == b"plain"
    html = find(root, (2, 2))
    assert html is not None
    assert (html.encoding, body(MIXED, html)) == (b"BASE64", b"PGI+")
    assert body(MIXED, find(root, (2,))).startswith(b"Subject: inner\r\n")


def test_sections_that_do_not_exist() -> None:
    root = scan(MIXED)
    for numbers in ((3,), (1, 1), (2, 3), (2, 1, 1)):
        assert find(root, numbers) is None


def test_a_plain_message_has_one_part() -> None:
    data = b"Subject: x\r\n\r\none\r\ntwo"
    root = scan(data)
    assert body(data, find(root, (1,))) == b"one\r\ntwo"
    assert root.lines == 1
    assert find(root, (2,)) is None
    assert find(root, (1, 1)) is None


def test_a_message_that_is_only_a_message() -> None:
    data = b"Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nx"
    root = scan(data)
    assert body(data, find(root, (1,))) == b"Subject: in\r\n\r\nx"
    assert body(data, find(root, (1, 1))) == b"x"


def test_an_outer_boundary_ends_all_inner_parts() -> None:
    data = (
        b"Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; boundary=b\n\n"
        b"--b\n\ninner\n--a\n\nouter\n--a--\n"
    )
    root = scan(data)
    assert body(data, find(root, (1, 1))) == b"inner"
    assert body(data, find(root, (2,))) == b"outer"


def test_a_line_that_begins_with_a_boundary_is_one() -> None:
    """RFC 2046 section 5.1.1; of several that it begins with the longest."""
    data = b"Content-Type: multipart/mixed; boundary=a\n\n--a x\n\none\n--ab\n\ntwo\n--a--x\n"
    assert [body(data, part) for part in scan(data).children] == [b"one", b"two"]
    data = (
        b"Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; boundary=ab\n\n"
        b"--ab\n\ninner\n--ab--\n--a\n\nouter\n--a--\n"
    )
    root = scan(data)
    assert [body(data, find(root, numbers)) for numbers in ((1, 1), (2,))] == [b"inner", b"outer"]


def test_a_line_that_is_a_boundary_goes_before_one_that_begins_with_another() -> None:
    for outer, inner in ((b"a-", b"a"), (b"a", b"a-")):
        data = (
            b"Content-Type: multipart/mixed; boundary=%b\n\n--%b\nContent-Type: multipart/mixed; boundary=%b\n\n"
            b"--%b\n\ninner\n--%b--\n--%b\n\nouter\n--%b--\n" % (outer, outer, inner, inner, inner, outer, outer)
        )
        root = scan(data)
        assert [body(data, part) for part in root.children] == [body(data, find(root, (1,))), b"outer"]
        assert body(data, find(root, (1, 1))) == b"inner"


def test_a_part_without_an_empty_line_ends_at_the_boundary() -> None:
    data = b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nX: 1\r\n--a\r\n\r\ny\r\n--a--\r\n"
    root = scan(data)
    part = find(root, (1,))
    assert body(data, part) == b""
    assert part is not None
    assert data[part.header_start : part.body_start] == b"X: 1"
    assert body(data, find(root, (2,))) == b"y"


def test_a_multipart_without_parts_is_text() -> None:
    for head in (b"multipart/mixed", b"multipart/mixed; boundary=zz", b'multipart/mixed; boundary=""'):
        root = scan(b"Content-Type: " + head + b"\r\n\r\nbody\r\n")
        assert (root.type, root.subtype, root.children, root.lines) == (b"text", b"plain", [], 1)


def test_defaults_of_a_digest() -> None:
    data = b"Content-Type: multipart/digest; boundary=d\n\n--d\n\nSubject: one\n\nbody\n--d--\n"
    part = find(scan(data), (1,))
    assert part is not None
    assert part.message
    assert body(data, find(scan(data), (1, 1))) == b"body"


def test_an_encoded_message_is_a_file() -> None:
    root = scan(b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nQUJD\r\n")
    assert (root.type, root.subtype) == (b"application", b"octet-stream")


def test_depth_and_count_are_bounded() -> None:
    deep = b"".join(b"Content-Type: multipart/mixed; boundary=b%03d\r\n\r\n--b%03d\r\n" % (i, i) for i in range(500))
    many = b"".join(b"--b005\r\n\r\nx\r\n" for _ in range(MAX_PARTS + 500))
    root = scan(deep + b"\r\nhi\r\n" + many)
    parts = list(root.walk())
    assert len(parts) == MAX_PARTS
    depth, part = 0, root
    while part.children:
        part, depth = part.children[0], depth + 1
    assert depth == MAX_DEPTH


def test_broken_content_types() -> None:
    for raw, expected in (
        (b"text/plain;", (b"text", b"plain")),
        (b"text", (b"text", b"plain")),
        (b"", (b"text", b"plain")),
        (b"/", (b"text", b"plain")),
        (b"image/", (b"image", b"x-unknown")),
        (b"(comment) text (x) / html ; charset", (b"text", b"html")),
    ):
        root = scan(b"Content-Type: " + raw + b"\r\n\r\n")
        assert (root.type, root.subtype) == expected, raw


@given(
    st.lists(
        st.sampled_from(
            [
                b"--a",
                b"--b",
                b"--",
                b"\r\n",
                b"\n",
                b"Content-Type: multipart/mixed; boundary=a\r\n",
                b"Content-Type: multipart/digest; boundary=b\n",
                b"Content-Type: message/rfc822\r\n",
                b"x",
                b"\x00\xff",
                b": ;",
            ]
        ),
        max_size=60,
    )
)
def test_any_bytes_give_a_sound_tree(pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    root = scan(data)
    assert (root.header_start, root.body_end) == (0, len(data))
    for part in root.walk():
        assert 0 <= part.header_start <= part.body_start <= part.body_end <= len(data)
        assert part.lines == (data.count(b"\n", part.body_start, part.body_end) if part.lines else 0)
        last = part.body_start
        for child in part.children:
            assert last <= child.header_start
            assert child.body_end <= part.body_end
            last = child.body_end
