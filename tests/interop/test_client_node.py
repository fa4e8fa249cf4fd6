"""Node's clients, imapflow and node-imap: a scripted day (``tests/data/clients``) and what they made of the answers."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.client_servers import Account, Far, id_of, letters, run

pytestmark = pytest.mark.interop

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "tests" / "data" / "clients"
MODULES = ROOT / ".venv" / "clients"
NODE = shutil.which("node") or shutil.which("node", path=str(Path(sys.executable).parent))


def day(script: str, account: Account, kind: str) -> Any:
    """What one script printed."""
    package = "imapflow" if "flow" in script else "imap"
    if NODE is None or not (MODULES / "node_modules" / package).is_dir():
        pytest.skip(f"{package} is not installed: make peers")
    port = account.tls_port if kind == "tls" else account.port
    words = (NODE, str(SCRIPTS / script), str(port), account.user, account.password, kind)
    return json.loads(run(*words, cwd=MODULES))


def after(account: Account) -> None:
    """Both days leave the same mailbox behind."""
    inbox = account.marked()
    assert inbox.pop("pushed@clients.example") == set()
    assert inbox == {
        id_of(0): {"\\Seen", "Wichtig"},
        id_of(2): {"\\Flagged", "\\Answered"} if "\\Answered" in inbox[id_of(2)] else {"\\Flagged"},
        id_of(5): set(),
    }
    assert len(account.seen("Drafts")) == 1
    assert not any("ln" in name for name in account.folders())


@pytest.mark.parametrize("kind", ["plain", "tls", "starttls"])
def test_imapflow(far: Far, account: Account, kind: str) -> None:
    account.arrive(letters(6))
    out = day("imapflow.mjs", account, kind)
    assert {"CONDSTORE", "QRESYNC", "MOVE", "UIDPLUS", "SPECIAL-USE"} <= set(out["capabilities"])
    assert {"\\Drafts": "Drafts", "\\Sent": "Sent", "\\Trash": "Trash"}.items() <= out["special"].items()
    assert out["inbox"] == {"messages": 6, "unseen": 6, "uidNext": 7}
    assert out["exists"] == 6
    assert out["rows"] == [
        [n + 1, f"Letter {n}", "anna@news.example", "text/plain", f"Subject: Letter {n}", True] for n in range(6)
    ]
    assert out["found"] == [3]
    assert out["either"] == [2, 4]
    assert out["source"].endswith(letters(1, 1)[0].decode())
    assert out["text"].replace("\r", "") == "Line of letter 0\n" * 3
    assert out["created"] == "Projekte/Köln & Bonn"
    assert (out["copied"], out["moved"]) == ([[1, 1]], [[2, 2], [4, 3]])
    assert out["left"] == [1, 3, 6]
    assert out["changed"] == [3]
    assert out["filed"] == ["Drafts", 1]
    assert out["draft"][0] == "2024-02-29T12:00:00.000Z"
    assert set(out["draft"][1]) - {"\\Recent"} == {"\\Draft", "\\Seen"}
    assert (out["status"]["messages"], out["status"]["unseen"]) == (3, 2)
    assert out["renamed"] == "Archive/Köln"
    assert out["heard"] == 4
    assert ["exists", "INBOX", 4] in out["events"]
    after(account)


@pytest.mark.parametrize("kind", ["plain", "tls", "starttls"])
def test_node_imap(account: Account, kind: str) -> None:
    account.arrive(letters(6))
    out = day("node-imap.cjs", account, kind)
    assert {"\\Drafts": "Drafts", "\\Sent": "Sent", "\\Trash": "Trash"}.items() <= out["special"].items()
    assert out["total"] == 6
    assert out["keywords"] is True
    assert out["rows"] == [[n + 1, f"Letter {n}", "text", f"Letter {n}", 18 * 3] for n in range(6)]
    assert (out["found"], out["either"], out["since"]) == ([3], [2, 4], 6)
    assert out["sorted"] == [6, 5, 4, 3, 2, 1]
    assert out["threads"] == 6
    assert out["left"] == [1, 3, 6]
    assert out["uid"] == 1
    assert out["status"] == [3, 2]
    assert out["heard"] == 1
    assert out["expunge"] in ([2, 3, 3], [4, 2, 3])
    after(account)
