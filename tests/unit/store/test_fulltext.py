"""The full-text index: exact substrings of folded texts, documents that come and go, files that are broken."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stratamail.store.findable import OPEN, Findable, count_searchable
from stratamail.store.fulltext import NAME, PARTED, Document, Fulltext, Unusable, fold, key_of, remove_file
from stratamail.store.layout import Layout

WORDS = st.text(
    st.sampled_from("aAbBcC \u00e4\u00c4\u00df\u0301\u4e2d\ufb01\"*'%_\0\x01\ufffd\uffff\U0001f600"), max_size=12
)


def made(path: Path, *documents: Document) -> Fulltext:
    index = Fulltext(str(path / NAME), write=True)
    index.add(documents, 1, 7, len(documents))
    return index


def document(key: str, head: str, body: str, whole: bool = True) -> Document:
    return Document(key, fold(head), fold(body), whole)


def test_words_are_found_where_they_stand(tmp_path: Path) -> None:
    index = made(
        tmp_path,
        document("a", "Subject: Gr\u00fc\u00dfe", "Hello World"),
        document("b", "To: x", "gr\u00fc\u00dfe hello"),
    )
    assert index.find("hello", "body") == {1, 2}
    assert index.find("hello", "head") == set()
    assert index.find("GR\u00dc\u00dfE", "head") == {1}
    assert index.find("GR\u00dc\u00dfE", "text") == {1, 2}
    assert index.find("o w", "body") == {1}
    assert index.find("lo", "text") == {1, 2}
    assert index.find("x", "text") == {2}
    assert index.find("world hello", "text") == set()


def test_all_trigrams_without_the_word_are_not_enough(tmp_path: Path) -> None:
    index = made(tmp_path, document("a", "", "abcd bcde"), document("b", "", "abcde"))
    assert index.find("abcde", "body") == {2}


def test_a_long_word_is_compared_to_its_end(tmp_path: Path) -> None:
    long = "".join(chr(97 + i * i % 26) for i in range(500))
    index = made(tmp_path, document("a", "", f"x{long}y"), document("b", "", f"x{long[:-1]}!"))
    assert index.find(long, "body") == {1}
    assert index.find(long[:-1], "body") == {1, 2}


def test_parts_are_divided(tmp_path: Path) -> None:
    index = made(tmp_path, Document("a", "", fold("one") + PARTED + fold("two")))
    assert index.find("one", "body") == index.find("two", "body") == {1}
    assert index.find("onetwo", "body") == set()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bodies=st.lists(WORDS, min_size=1, max_size=6), needle=WORDS.filter(bool))
def test_what_is_found_is_what_holds_the_needle(tmp_path: Path, bodies: list[str], needle: str) -> None:
    remove_file(str(tmp_path / NAME))
    index = made(tmp_path, *[document(str(i), "", body) for i, body in enumerate(bodies)])
    try:
        expected = {i + 1 for i, body in enumerate(bodies) if fold(needle) in fold(body)}
        assert index.find(needle, "body") == index.find(needle, "text") == expected
    finally:
        index.close()


def test_removed_documents_are_not_found_and_their_numbers_not_given_again(tmp_path: Path) -> None:
    index = made(tmp_path, document("a", "head one", "body one"), document("b", "head two", "body two"))
    index.remove([2, 99])
    assert index.find("body", "body") == index.find("head", "head") == {1}
    assert index.find("two", "text") == index.find("tw", "text") == set()
    assert index.numbers(["a", "b"]) == {"a": 1}
    index.add([document("b", "", "again")], 1, 7, 3)
    assert index.numbers(["b"]) == {"b": 3}
    assert (index.last, index.count(), index.after(1), index.cut()) == (3, 2, {"b": 3}, set())


def test_what_is_cut_and_what_is_seen(tmp_path: Path) -> None:
    index = made(tmp_path, document("a", "", "x", whole=False), document("b", "", "y"))
    assert index.cut() == {1}
    index.add([], 2, 9, 4)
    assert index.seen() == {1: (7, 2), 2: (9, 4)}


def test_a_document_that_is_there_fails_as_a_whole(tmp_path: Path) -> None:
    index = made(tmp_path, document("a", "", "xxx"))
    with pytest.raises(sqlite3.IntegrityError):
        index.add([document("b", "", "yyy"), document("a", "", "zzz")], 1, 7, 9)
    assert index.find("yyy", "body") == set()
    assert index.seen() == {1: (7, 1)}


def test_a_reader_sees_what_a_writer_commits(tmp_path: Path) -> None:
    writer = made(tmp_path, document("a", "", "xxx"))
    reader = Fulltext(str(tmp_path / NAME))
    writer.add([document("b", "", "xxx")], 1, 7, 2)
    assert reader.find("xxx", "body") == {1, 2}
    assert reader.generation == writer.generation
    with pytest.raises(sqlite3.OperationalError):
        reader.add([document("c", "", "xxx")], 1, 7, 3)


def test_files_that_are_not_ours(tmp_path: Path) -> None:
    path = tmp_path / NAME
    with pytest.raises(FileNotFoundError):
        Fulltext(str(path))
    path.write_bytes(b"no database" * 1000)
    for write in (False, True):
        with pytest.raises(Unusable):
            Fulltext(str(path), write)
    path.unlink()
    other = sqlite3.connect(path)
    other.execute("PRAGMA user_version=99")
    other.close()
    with pytest.raises(Unusable):
        Fulltext(str(path), write=True)


def test_a_file_that_is_replaced(tmp_path: Path) -> None:
    index = made(tmp_path, document("a", "", "x"))
    assert index.current
    remove_file(str(tmp_path / NAME))
    assert not index.current
    assert made(tmp_path).generation != index.generation
    assert not index.current


def test_keys() -> None:
    assert key_of("1700000000.0123456789abcdef.0,S=3") == "0123456789abcdef"
    assert key_of("1700000000.0123456789abcdef.1f-0,S=3") == "0123456789abcdef"
    assert key_of("1700000000.M1P2.host") == "1700000000.M1P2.host"


def test_open_files_are_shared_and_few(tmp_path: Path) -> None:
    layout = Layout(str(tmp_path))
    findable = Findable(layout)
    addresses = [f"u{i}@example.org" for i in range(OPEN + 2)]
    for address in addresses:
        root = Path(layout.mailbox(address))
        with findable.reading(address) as index:
            assert index is None
        root.mkdir(parents=True)
        made(root, document("a", "", address)).close()
        with findable.reading(address) as index:
            assert index is not None and index.find(address, "body") == {1}
    with findable.reading(addresses[-1]) as index, findable.reading(addresses[-2]) as other:
        assert index is not None and other is not None and index is not other
    first = Path(layout.mailbox(addresses[0])) / NAME
    remove_file(str(first))
    with findable.reading(addresses[0]) as index:
        assert index is None
    findable.close()


def test_nothing_is_searchable_without_an_index(tmp_path: Path) -> None:
    assert count_searchable(Layout(str(tmp_path)), "nobody@example.org") == 0
