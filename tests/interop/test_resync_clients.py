"""Clients of four kinds (none, CONDSTORE, QRESYNC) at random on one mailbox, which then go away and come back: here
and, as the check of what they believe, at Dovecot."""

from __future__ import annotations

import time

import pytest

from tests.crash.imap_worker import Line, Seen, Worker, look
from tests.support.client_servers import Account
from tests.support.sizes import sized

FOLDERS = ["INBOX", "Archive"]
pytestmark = pytest.mark.interop


def test_clients_that_come_and_go_know_what_is_so(account: Account) -> None:
    seen = Seen()

    def connect() -> Line:
        return Line(account.port, account.user, account.password)

    workers = [Worker(number, number, connect, FOLDERS, seen) for number in range(8)]
    for worker in workers:
        worker.start()
    time.sleep(sized(3, 15))  # they work at random: there is nothing to wait for
    for worker in workers:
        worker.stop.set()
    for worker in workers:
        worker.join(30)
        assert not worker.is_alive()
    assert seen.wrong == []
    for comes_back in (False, True):
        if comes_back:
            for worker in workers:
                worker.close()
                worker.open()
        line = connect()
        truth = {folder: look(line, folder, seen)[0].flags for folder in FOLDERS}
        for worker in workers:
            assert worker.settle() == truth[worker.folder]
        line.close()
    for worker in workers:
        worker.close()
    assert seen.wrong == []
    assert seen.done > 100
