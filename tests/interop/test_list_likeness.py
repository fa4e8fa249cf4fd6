"""LIST, LSUB and their options beside Dovecot, on the same folders and subscriptions.

Where the two differ on purpose, :func:`alike` takes the difference out, and says why.
"""

from __future__ import annotations

import imaplib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.protocol.imap_harness import Client, House
from tests.support import dovecot

SETTINGS = (
    "CREATE Fruit/Apple", "CREATE Fruit/Banana", "CREATE Vegetable", "CREATE Vegetable/Broccoli", "CREATE foo",
    "CREATE foo/bar", "CREATE foo/bar/baz", "CREATE inbox/Below", "CREATE gone", "SUBSCRIBE INBOX",
    "SUBSCRIBE Fruit/Banana", "SUBSCRIBE Vegetable", "SUBSCRIBE Vegetable/Broccoli", "SUBSCRIBE foo/bar/baz",
    "SUBSCRIBE gone", "DELETE gone", "CREATE Fruit", "SUBSCRIBE Archive", "SUBSCRIBE Drafts", "SUBSCRIBE Junk",
    "SUBSCRIBE Sent", "SUBSCRIBE Trash",
)  # fmt: skip
COMMANDS = (
    'LIST "" *', 'LIST "" %', 'LIST "" ""', 'LIST "" inbox', 'LIST "" iNB*', 'LIST "" i*', 'LIST "" "inbox/%"',
    'LIST Fruit %', 'LIST Fruit/ *', 'LIST "" Fruit/', 'LIST "" Fruit/%', 'LIST "" */%', 'LIST "" %/%', 'LIST "" %/%/%',
    'LIST foo /%', 'LIST "" nothing', 'LSUB "" *', 'LSUB "" %', 'LSUB "" %/%', 'LSUB foo/ %', 'LSUB "" F%',
    'LIST (SUBSCRIBED) "" ""', 'LIST (SUBSCRIBED) "" *', 'LIST (SUBSCRIBED) "" %', 'LIST (SUBSCRIBED) "" foo/%',
    'LIST (SUBSCRIBED RECURSIVEMATCH) "" %', 'LIST (SUBSCRIBED RECURSIVEMATCH) "" foo/%',
    'LIST (RECURSIVEMATCH) "" *', 'LIST (REMOTE RECURSIVEMATCH) "" *', 'LIST (REMOTE) "" *', 'LIST (NOVEL) "" *',
    'LIST (SPECIAL-USE) "" *', 'LIST (SPECIAL-USE SUBSCRIBED) "" *', 'LIST (SPECIAL-USE) "" % RETURN (SUBSCRIBED)',
    'LIST "" * RETURN ()', 'LIST "" * RETURN (CHILDREN)', 'LIST "" % RETURN (SUBSCRIBED CHILDREN SPECIAL-USE)',
    'LIST "" * RETURN (NOVEL)', 'LIST "" (INBOX Fruit/% *Apple)', 'LIST Fruit/ (App* Ban*)', 'LIST "" ()',
    'LIST "" % RETURN (STATUS (MESSAGES UIDNEXT))', 'LIST (SUBSCRIBED) "" % RETURN (STATUS (MESSAGES))',
    'LIST (SUBSCRIBED RECURSIVEMATCH) "" % RETURN (CHILDREN STATUS (MESSAGES))',
    "CREATE INBOX", "CREATE inbox", "CREATE x//y", "CREATE /x", 'CREATE ""', "DELETE INBOX", "DELETE nope",
    "RENAME nope x", "RENAME Fruit Fruit/x", "RENAME Sent Trash", 'SUBSCRIBE ""', 'STATUS "" (MESSAGES)',
    "STATUS Fruit ()", "STATUS Fruit (MESSAGES MESSAGES)", "STATUS Fruit (MESSAGES UIDNEXT UNSEEN)", "CREATE a/",
)  # fmt: skip
pytestmark = pytest.mark.interop

USES = frozenset(("\\Archive", "\\Drafts", "\\Junk", "\\Sent", "\\Trash"))


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Client, imaplib.IMAP4]]:
    dovecot.required()
    ours = House(Path(tmp_path_factory.mktemp("house"))).sign_in()
    with dovecot.Dovecot(homes=True) as other:
        theirs = other.client()
        for command in SETTINGS:
            theirs_of(theirs, command)
            ours.do(command)
        yield ours, theirs
        theirs.logout()


def theirs_of(client: imaplib.IMAP4, command: str) -> tuple[list[bytes], bytes]:
    """(untagged responses, OK, NO or BAD)."""
    tag = client._new_tag()  # type: ignore[attr-defined]
    client.send(tag + b" " + command.encode("ascii") + b"\r\n")
    told = []
    while True:
        line = client.readline()
        if line.startswith(tag + b" "):
            return told, line.split()[1]
        told.append(line.rstrip(b"\r\n"))


def alike(line: bytes, command: str) -> bytes:
    """A response without what may differ."""
    # RFC 5258 section 6: the tag of an extended item is an astring, quoted or not
    line = line.replace(b'("CHILDINFO" (', b"(CHILDINFO (")
    if line.startswith((b"* LIST (", b"* LSUB (")):
        head, _, rest = line[8:].partition(b")")
        attributes = head.decode("ascii").split()
        if "SPECIAL-USE" not in command and ("RETURN" in command or "LIST (" in command or "LSUB" in command):
            # RFC 6154 section 2: they may be told unasked
            attributes = [word for word in attributes if word not in USES]
        line = line[:8] + " ".join(sorted(attributes)).encode("ascii") + b")" + rest
    return line


@pytest.mark.parametrize("command", COMMANDS)
def test_as_dovecot_answers(pair: tuple[Client, imaplib.IMAP4], command: str) -> None:
    ours, theirs = pair
    untagged, tagged = ours.do(command)
    told, state = theirs_of(theirs, command)
    mine = sorted(alike(line, command) for line in untagged.split(b"\r\n") if line)
    assert (mine, tagged.split()[0]) == (sorted(alike(line, command) for line in told), state)
