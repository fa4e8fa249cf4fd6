"""A shared mailbox with real clients: IMAPClient and mbsync, of two people who read one mailbox.

Debian's Dovecot has no mailbox like it without more of it set up: these run against this server only.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import frozen
from imapclient import SEEN

from tests.interop.test_client_imapclient import signed_in
from tests.interop.test_client_mbsync import Mbsync, alike
from tests.support.client_servers import OurAccount, id_of, letters, needs
from tests.support.server import Server
from tests.support.sink import Sink
from tests.support.waiting import until

pytestmark = pytest.mark.interop

DOMAIN = "shared.example"
DESK = f"desk@{DOMAIN}"
HERE = "Shared/desk"


@frozen
class Office:
    """Two readers of one mailbox. ``arrive`` delivers to it."""

    server: Server
    anna: OurAccount
    bob: OurAccount

    def arrive(self, messages: list[bytes]) -> None:
        wanted = self.anna.count(HERE) + len(messages)
        for data in messages:
            assert self.server.deliver(data, [DESK]).startswith(b"250")
        until(lambda: self.anna.count(HERE) >= wanted, f"{wanted} messages of the desk")


@pytest.fixture
def office() -> Iterator[Office]:
    sink = Sink(up=False)
    server = Server()
    try:
        server.cli("init")
        server.add_domain(DOMAIN, sink.address)
        people = f"anna@{DOMAIN}", f"bob@{DOMAIN}"
        server.add_mailboxes(*people)
        server.cli("address", "add", DESK, "--shared", people[0], "--shared", people[1])
        server.start()
        yield Office(server, OurAccount(server, people[0]), OurAccount(server, people[1]))
    finally:
        server.close()
        sink.stop()


def test_two_people_with_imapclient(office: Office) -> None:
    office.arrive(letters(6))
    with signed_in(office.anna) as anna, signed_in(office.bob) as bob:
        [shared] = anna.namespace().shared
        assert shared == ("Shared/", "/")
        assert HERE in {name for _, _, name in anna.list_folders()}
        assert HERE in {name for _, _, name in bob.list_sub_folders()}
        first, second = anna.select_folder(HERE), bob.select_folder(HERE)
        assert (first[b"EXISTS"], first[b"UIDVALIDITY"]) == (6, second[b"UIDVALIDITY"])
        # one set of flags; who waits is told at once
        bob.idle()
        anna.add_flags([1], [SEEN, b"$Anna"])
        said = bob.idle_check(timeout=10)
        assert any("FETCH" in str(line) and "$Anna" in str(line) for line in said), said
        sender = threading.Timer(0.1, office.arrive, [letters(1, 10)])
        sender.start()
        while (7, b"EXISTS") not in said:
            more = bob.idle_check(timeout=10)
            assert more, said
            said += more
        sender.join()
        bob.idle_done()
        # between one's own mail and the shared
        anna.move([2, 3], "INBOX")
        anna.copy([4], "Archive")
        bob.noop()
        assert bob.search("ALL") == [1, 4, 5, 6, 7]
        anna.select_folder("INBOX")
        assert anna.search("ALL") == [1, 2]
        anna.move([1], f"{HERE}/Archive")
        bob.select_folder(f"{HERE}/Archive")
        assert bob.search(["SUBJECT", "Letter 1"]) == [1]
        # a folder that both use, and a draft of one that the other sends
        anna.create_folder(f"{HERE}/Kunden & Köln")
        assert bob.folder_exists(f"{HERE}/Kunden & Köln")
        anna.append(f"{HERE}/Drafts", letters(1, 20)[0], [b"\\Draft"])
        assert bob.folder_status(f"{HERE}/Drafts", ["MESSAGES"]) == {b"MESSAGES": 1}
        anna.rename_folder(f"{HERE}/Kunden & Köln", f"{HERE}/Archive/Köln")
        bob.delete_folder(f"{HERE}/Archive/Köln")
        assert not anna.folder_exists(f"{HERE}/Archive/Köln")
    assert set(office.bob.marked(HERE)) == {id_of(n) for n in (0, 3, 4, 5, 10)}
    assert office.bob.marked(HERE)[id_of(0)] == {"\\Seen", "$Anna"}
    assert office.bob.count() == 0


def test_two_people_with_mbsync(office: Office, tmp_path: Path) -> None:
    """Each has a Maildir of all that it reads; what one does there reaches the other through the server."""
    needs("mbsync")
    office.arrive(letters(20))
    office.anna.arrive(letters(2, 100))
    anna, bob = Mbsync(office.anna, tmp_path / "anna"), Mbsync(office.bob, tmp_path / "bob")
    for client in (anna, bob):
        client.sync()
        assert len(client.near(HERE).files()) == 20
    assert (len(anna.near().files()), len(bob.near().files())) == (2, 0)
    anna.near(HERE).mark(id_of(0), "S")
    bob.near(HERE).mark(id_of(0), "F")
    anna.near(HERE).remove(id_of(1))
    bob.near(HERE).remove(id_of(2))
    anna.near(f"{HERE}/Sent").add(letters(1, 200)[0], "200.anna.here")
    bob.near(f"{HERE}/Sent").add(letters(1, 201)[0], "201.bob.here")
    bob.near(f"{HERE}/Projekt").make().add(letters(1, 300)[0], "300.bob.here")
    for client in (anna, bob, anna):
        client.sync()
    for account, client in ((office.anna, anna), (office.bob, bob)):
        alike(account, client, HERE, f"{HERE}/Sent", f"{HERE}/Projekt", "INBOX", "Sent")
    assert set(office.anna.marked(HERE)) == {id_of(n) for n in range(20)} - {id_of(1), id_of(2)}
    assert office.anna.marked(HERE)[id_of(0)] == {"\\Seen", "\\Flagged"}
    assert set(office.bob.marked(f"{HERE}/Sent")) == {id_of(200), id_of(201)}
    assert set(anna.near(f"{HERE}/Projekt").files()) == {id_of(300)}
    # nothing is left to do
    before = {path.name for path in anna.near(HERE).files().values()}
    anna.sync()
    assert {path.name for path in anna.near(HERE).files().values()} == before
