"""LIST with options (RFC 5258 LIST-EXTENDED, RFC 5819 LIST-STATUS, RFC 6154 SPECIAL-USE, RFC 3348 CHILDREN)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.protocol.imap_harness import Client, House


@pytest.fixture
def client(tmp_path: Path) -> Client:
    """Fruit and its children as in the examples of RFC 5258 section 5; ``Tofu`` is subscribed to and not there."""
    house = House(tmp_path)
    for name in ("Fruit/Apple", "Fruit/Banana", "Vegetable/Broccoli", "foo/bar/baz"):
        house.mailboxes.create("anna@example.org", name)
    client = house.sign_in()
    for name in ("INBOX", "Fruit/Banana", "Vegetable", "Vegetable/Broccoli", "Tofu", "foo/bar/baz"):
        client.ok(f"SUBSCRIBE {name}")
    for name in ("Sent", "Drafts", "Junk", "Trash", "Archive"):
        client.ok(f"DELETE {name}")
        client.ok(f"UNSUBSCRIBE {name}")
    return client


def lines(answer: bytes) -> list[str]:
    """The responses without ``* LIST`` and the delimiter: "(attributes) name …"."""
    return [
        line.removeprefix("* LIST ").replace(' "/" ', " ", 1) for line in answer.decode("ascii").split("\r\n") if line
    ]


def test_the_plain_form_has_no_subscriptions_and_no_names_that_are_not_there(client: Client) -> None:
    """RFC 3501 section 6.3.8."""
    assert lines(client.ok('LIST "" %')) == [
        "(\\HasNoChildren) INBOX", "(\\HasChildren) foo", "(\\HasChildren) Fruit", "(\\HasChildren) Vegetable",
    ]  # fmt: skip


def test_an_empty_pattern_asks_for_the_delimiter_in_the_plain_form_only(client: Client) -> None:
    """RFC 3501 section 6.3.8; RFC 5258 section 3 has the special meaning for the plain form only."""
    assert lines(client.ok('LIST "" ""')) == ['(\\Noselect) ""']
    assert lines(client.ok('LIST (SUBSCRIBED) "" ""')) == []


def test_subscribed_lists_what_is_subscribed_to_though_it_is_not_there(client: Client) -> None:
    """RFC 5258 section 3.1 SUBSCRIBED: \\NonExistent for what is not there; \\Subscribed in each response."""
    assert lines(client.ok('LIST (SUBSCRIBED) "" *')) == [
        "(\\Subscribed) INBOX", "(\\Subscribed) foo/bar/baz", "(\\Subscribed) Fruit/Banana",
        "(\\NonExistent \\Subscribed) Tofu", "(\\Subscribed) Vegetable", "(\\Subscribed) Vegetable/Broccoli",
    ]  # fmt: skip


def test_a_parent_of_what_is_subscribed_to_is_not_listed_for_it(client: Client) -> None:
    """RFC 5258 section 3.1: unlike LSUB with "%"."""
    assert lines(client.ok('LIST (SUBSCRIBED) "" %')) == [
        "(\\Subscribed) INBOX", "(\\NonExistent \\Subscribed) Tofu", "(\\Subscribed) Vegetable",
    ]  # fmt: skip
    assert b"Fruit" in client.ok('LSUB "" %')


def test_recursivematch_tells_parents_of_what_they_have_below(client: Client) -> None:
    """RFC 5258 sections 3.1 and 3.5: CHILDINFO, whether or not the child matches the pattern."""
    assert lines(client.ok('LIST (SUBSCRIBED RECURSIVEMATCH) "" %')) == [
        "(\\Subscribed) INBOX", '() foo ("CHILDINFO" ("SUBSCRIBED"))', '() Fruit ("CHILDINFO" ("SUBSCRIBED"))',
        "(\\NonExistent \\Subscribed) Tofu", '(\\Subscribed) Vegetable ("CHILDINFO" ("SUBSCRIBED"))',
    ]  # fmt: skip


def test_a_parent_that_is_not_there_is_told_of_too(client: Client) -> None:
    """RFC 5258 section 3.5: a mailbox that does not exist and has a subscribed child."""
    client.ok("SUBSCRIBE lost/found")
    assert lines(client.ok('LIST (SUBSCRIBED RECURSIVEMATCH) "" l%')) == [
        '(\\NonExistent) lost ("CHILDINFO" ("SUBSCRIBED"))'
    ]


@pytest.mark.parametrize("options", ["RECURSIVEMATCH", "REMOTE RECURSIVEMATCH", "RECURSIVEMATCH REMOTE"])
def test_recursivematch_alone_is_bad(client: Client, options: str) -> None:
    """RFC 5258 section 3.1: the server MUST return BAD."""
    client.bad(f'LIST ({options}) "" *')


def test_remote_adds_nothing(client: Client) -> None:
    """RFC 5258 section 3.1 REMOTE: no mailbox of ours is elsewhere."""
    assert client.ok('LIST (REMOTE) "" Fruit/*') == client.ok('LIST () "" Fruit/*')
    assert client.ok('LIST (REMOTE SUBSCRIBED) "" *') == client.ok('LIST (SUBSCRIBED) "" *')


@pytest.mark.parametrize("command", ['LIST (NOVEL) "" *', 'LIST "" * RETURN (NOVEL)', 'LIST "" * NOVEL (X)'])
def test_unknown_options_are_bad(client: Client, command: str) -> None:
    """RFC 5258 section 3: MUST respond with BAD."""
    client.bad(command)


def test_return_options(client: Client) -> None:
    """RFC 5258 section 3.2: SUBSCRIBED and CHILDREN are told only when asked for; 4: both HasChildren attributes."""
    assert lines(client.ok('LIST "" Fruit* RETURN ()')) == ["() Fruit", "() Fruit/Apple", "() Fruit/Banana"]
    assert lines(client.ok('LIST "" Fruit* RETURN (SUBSCRIBED)')) == [
        "() Fruit", "() Fruit/Apple", "(\\Subscribed) Fruit/Banana",
    ]  # fmt: skip
    assert lines(client.ok('LIST "" Fruit* RETURN (CHILDREN SUBSCRIBED)')) == [
        "(\\HasChildren) Fruit", "(\\HasNoChildren) Fruit/Apple", "(\\Subscribed \\HasNoChildren) Fruit/Banana",
    ]  # fmt: skip
    # a child that is subscribed to and not there is no child
    client.ok("SUBSCRIBE Fruit/Apple/Core")
    assert lines(client.ok('LIST "" Fruit/A* RETURN (CHILDREN)')) == ["(\\HasNoChildren) Fruit/Apple"]


def test_several_patterns_name_each_mailbox_once(client: Client) -> None:
    """RFC 5258 section 3: no mailbox is returned twice, and the reference goes with each pattern."""
    assert lines(client.ok('LIST "" (INBOX Fruit/% *Apple)')) == ["() INBOX", "() Fruit/Apple", "() Fruit/Banana"]
    assert lines(client.ok("LIST Fruit/ (App* Ban*)")) == ["() Fruit/Apple", "() Fruit/Banana"]


def test_parents_that_are_there_by_their_children_only(client: Client) -> None:
    """RFC 5258 section 3.1: \\NonExistent, which implies \\NoSelect; RFC 3501: \\Noselect in the plain form."""
    client.ok("DELETE Vegetable")
    assert lines(client.ok('LIST "" V%')) == ["(\\Noselect \\HasChildren) Vegetable"]
    assert lines(client.ok('LIST "" V% RETURN (CHILDREN)')) == ["(\\NonExistent \\HasChildren) Vegetable"]
    client.no("SELECT Vegetable")


def test_status_is_told_of_what_can_be_selected(client: Client) -> None:
    """RFC 5819 section 2: right after its LIST response, and none where there is no mailbox."""
    client.ok("DELETE Vegetable")
    told = client.ok('LIST "" (INBOX V%) RETURN (STATUS (MESSAGES UIDNEXT))')
    assert told == (
        b'* LIST () "/" INBOX\r\n* STATUS INBOX (MESSAGES 0 UIDNEXT 1)\r\n* LIST (\\NonExistent) "/" Vegetable\r\n'
    )
    assert b"STATUS Tofu" not in client.ok('LIST (SUBSCRIBED) "" * RETURN (STATUS (UNSEEN))')
    client.bad('LIST "" * RETURN (STATUS ())')
    client.bad('LIST "" * RETURN (STATUS (NOVEL))')
    # "each selectable mailbox matching the list pattern and selection options": not a parent that has CHILDINFO only
    assert b"STATUS Fruit" not in client.ok('LIST (SUBSCRIBED RECURSIVEMATCH) "" % RETURN (STATUS (MESSAGES))')


def test_inbox_in_any_case(client: Client) -> None:
    """RFC 3501 section 5.1."""
    for pattern in ("inbox", "iNB*", "InBo%"):
        assert lines(client.ok(f'LIST "" {pattern}')) == ["(\\HasNoChildren) INBOX"]
    client.ok("CREATE inbox/Below")
    for pattern in ("i*/B*", "inBox/%", "%/Below"):
        assert lines(client.ok(f'LIST "" {pattern}')) == ["(\\HasNoChildren) INBOX/Below"]
    assert client.ok('LIST "" inbox/below') == b""


def test_special_use(tmp_path: Path) -> None:
    """RFC 6154 section 2: in every response; section 3 of RFC 5258: as selection and as return option."""
    client = House(tmp_path).sign_in()
    assert b"\\Sent" in client.ok('LIST "" Sent')
    assert b"\\Sent" in client.ok('LIST "" Sent RETURN (SPECIAL-USE)')
    assert lines(client.ok('LIST (SPECIAL-USE) "" *')) == [
        "(\\Archive) Archive", "(\\Drafts) Drafts", "(\\Junk) Junk", "(\\Sent) Sent", "(\\Trash) Trash",
    ]  # fmt: skip
    for name in ("Archive", "Drafts", "Sent", "Trash"):
        client.ok(f"UNSUBSCRIBE {name}")
    assert lines(client.ok('LIST (SPECIAL-USE SUBSCRIBED) "" *')) == ["(\\Subscribed \\Junk) Junk"]
    assert lines(client.ok('LIST (SPECIAL-USE) "" J* RETURN (SUBSCRIBED)')) == ["(\\Subscribed \\Junk) Junk"]


def test_create_with_a_special_use(tmp_path: Path) -> None:
    """RFC 6154 section 3: the use is kept, and a use that cannot be given makes no mailbox."""
    house = House(tmp_path)
    client = house.sign_in()
    tagged = client.no("CREATE Gesendet (USE (\\Sent))")
    assert b"[USEATTR]" in tagged
    assert b"[USEATTR]" in client.no("CREATE Alles (USE (\\All))")
    assert b"[USEATTR]" in client.no("CREATE Alles (USE (\\Drafts \\Novel))")
    assert client.ok('LIST "" (Gesendet Alles)') == b""
    client.ok("DELETE Sent")
    client.ok("DELETE Junk")
    client.ok("CREATE Gesendet (USE (\\sent \\JUNK))")
    client.ok("CREATE Nichts (USE ())")
    client.ok("RENAME Gesendet Post/Gesendet")
    assert lines(client.ok('LIST (SPECIAL-USE) "" (P* N*)')) == ["(\\Sent \\Junk) Post/Gesendet"]
    client.ok("CREATE Sent")
    assert lines(client.ok('LIST "" Sent RETURN (SPECIAL-USE)')) == ["() Sent"]
    # it outlives the session, the program and the file's cache
    house.mailboxes.close()
    assert lines(house.sign_in().ok('LIST (SPECIAL-USE RECURSIVEMATCH) "" P%')) == [
        '() Post ("CHILDINFO" ("SPECIAL-USE"))'
    ]
    client.bad("CREATE x (NOVEL (\\Sent))")
    client.bad("CREATE x (USE \\Sent)")


def test_a_name_with_a_final_delimiter_is_that_name(client: Client) -> None:
    """RFC 3501 section 6.3.3."""
    client.ok("CREATE Nuts/")
    assert lines(client.ok('LIST "" Nuts*')) == ["(\\HasNoChildren) Nuts"]
