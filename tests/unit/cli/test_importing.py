"""A recipient list from a CSV file: whole or not at all, bad rows by their line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from stratamail.cli.csvfile import Bad, Entry, NotCsv, read
from tests.unit.cli.conftest import Cli

GOOD = """address,kind,name,alternate,mobile,aliases,members,send-as
carl@acme.example,,Carl,carl@home.example,+491511234567,c@acme.example;cc@acme.example,,
anna@acme.example,mailbox,Anna,,,,,
team@acme.example,group,,,,,carl@acme.example out@else.example,
desk@acme.example,shared,,,,,carl@acme.example,anna@acme.example
"""


def take(cli: Cli, folder: Path, text: str, *options: str) -> Any:
    file = folder / "list.csv"
    file.write_text(text)
    return cli.json("mailbox", "import", "acme.example", str(file), *options)


def test_good_rows(cli: Cli, tmp_path: Path) -> None:
    done = take(cli, tmp_path, GOOD)
    assert done["applied"] is True
    assert done["changed"] == ["anna@acme.example"]
    assert sorted(done["added"]) == [
        "c@acme.example",
        "carl@acme.example",
        "cc@acme.example",
        "desk@acme.example",
        "team@acme.example",
    ]
    carl = cli.json("mailbox", "show", "cc@acme.example")
    assert (carl["name"], carl["alternate"], carl["mobile"]) == ("Carl", "carl@home.example", "+491511234567")
    assert carl["aliases"] == ["c@acme.example", "cc@acme.example"]
    assert cli.json("address", "show", "desk@acme.example")["send_as"] == ["anna@acme.example"]
    again = take(cli, tmp_path, GOOD)
    assert (again["added"], again["changed"]) == ([], [])


def test_dry_run_changes_nothing(cli: Cli, tmp_path: Path) -> None:
    before = cli.json("mailbox", "list"), cli.json("address", "list")
    done = take(cli, tmp_path, GOOD, "--dry-run", "--sync")
    assert (done["applied"], len(done["added"]), done["disabled"]) == (False, 5, ["bob@acme.example"])
    assert (cli.json("mailbox", "list"), cli.json("address", "list")) == before


def test_sync_disables_mailboxes_that_are_not_listed_and_keeps_their_mail(cli: Cli, tmp_path: Path) -> None:
    os.makedirs(cli.layout.mailbox("bob@acme.example") + "/cur")
    cli.ok("address", "add", "b@acme.example", "--alias-of", "bob@acme.example")
    cli.ok("address", "add", "old@acme.example", "--alias-of", "anna@acme.example")
    cli.ok("address", "add", "team@acme.example", "--group", "anna@acme.example")
    # a list that does not speak of aliases and groups takes none away
    done = take(cli, tmp_path, "address\nanna@acme.example\n", "--sync")
    assert (done["disabled"], done["removed"]) == (["bob@acme.example"], [])
    bob = cli.json("mailbox", "show", "bob@acme.example")
    assert (bob["state"], bob["aliases"]) == ("disabled", ["b@acme.example"])
    assert os.path.exists(cli.layout.mailbox("bob@acme.example"))
    done = take(cli, tmp_path, "address,kind,aliases\nanna@acme.example,,\n", "--sync")
    assert (done["disabled"], done["removed"]) == ([], ["old@acme.example", "team@acme.example"])


def test_sync_enables_nobody(cli: Cli, tmp_path: Path) -> None:
    cli.ok("mailbox", "disable", "bob@acme.example")
    file = tmp_path / "list.csv"
    file.write_text("address\nanna@acme.example\nbob@acme.example\n")
    done = cli.run("mailbox", "import", "acme.example", str(file), "--sync")
    assert (done.exit_code, "bob@acme.example is listed but disabled" in done.stderr) == (0, True)
    assert cli.json("mailbox", "show", "bob@acme.example")["state"] == "disabled"


def test_bad_rows_are_told_by_line_and_nothing_is_applied(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text(
        "address,kind,name,members,aliases\n"
        'good@acme.example,,"two\nlines",,\n'
        "x@foreign.example,,,,\n"
        "no address,,,,\n"
        "\n"
        "good@acme.example,,,,\n"
        "t@acme.example,group,,,\n"
        "u@acme.example,robot,,,\n"
        "v@acme.example,shared,,nobody@acme.example,\n"
        "w@acme.example,,,,anna@acme.example\n"
        "fine@acme.example,,Fine,,\n"
    )
    before = cli.json("mailbox", "list"), cli.json("address", "list")
    result = cli.run("mailbox", "import", "acme.example", str(file))
    assert result.exit_code == 1
    told = [line.split(":")[1] for line in result.stderr.splitlines() if line.startswith(str(file))]
    assert told == ["2", "4", "5", "7", "8", "9", "10", "11"]
    assert "nothing was changed" in result.stderr
    assert (cli.json("mailbox", "list"), cli.json("address", "list")) == before


@pytest.mark.parametrize(
    "data", [b"", b"\n\n", b"nam,address\n", b"name\n", b"address,address\n", b"address\n\xff\n", b'address\n"a\n']
)
def test_what_is_no_list(data: bytes) -> None:
    with pytest.raises(NotCsv):
        read(data)


def test_what_spreadsheets_write() -> None:
    entries, bad, columns = read(
        "\ufeffAddress;Kind;Send As\r\nA@b.example;;\r\n;;\r\nc@b.example;Alias;x\r\n".encode()
    )
    assert entries == [Entry(2, "A@b.example")]
    assert bad == [Bad(4, "kind alias needs members")]
    assert columns == {"address", "kind", "send-as"}


def test_shared_addresses_of_a_list_have_mailboxes_which_come_and_go_with_them(cli: Cli, tmp_path: Path) -> None:
    take(cli, tmp_path, GOOD)
    kinds = {one["address"]: one["kind"] for one in cli.json("mailbox", "list")}
    assert kinds["desk@acme.example"] == "shared"
    desk = cli.layout.mailbox("desk@acme.example")
    os.makedirs(desk + "/cur")
    again = take(cli, tmp_path, GOOD, "--sync")
    assert (again["added"], again["removed"]) == ([], [])
    assert os.path.isdir(desk)
    done = take(cli, tmp_path, "".join(GOOD.splitlines(True)[:-1]), "--sync")
    assert "desk@acme.example" in done["removed"]
    assert "desk@acme.example" not in done["disabled"]
    assert not os.path.exists(desk)
    assert "desk@acme.example" not in {one["address"] for one in cli.json("mailbox", "list")}


def test_a_shared_address_does_not_become_a_mailbox_by_a_list(cli: Cli, tmp_path: Path) -> None:
    take(cli, tmp_path, GOOD)
    file = tmp_path / "list.csv"
    file.write_text("address,kind\ndesk@acme.example,mailbox\n")
    assert "remove it first" in cli.refused("mailbox", "import", "acme.example", str(file))


def test_an_alias_of_a_shared_address_may_stand_above_it(cli: Cli, tmp_path: Path) -> None:
    done = take(
        cli,
        tmp_path,
        "address,kind,members\naid@acme.example,alias,desk@acme.example\ndesk@acme.example,shared,anna@acme.example\n",
    )
    assert done["added"] == ["desk@acme.example", "aid@acme.example"]


SHARED_LIST = "address,kind,members\nanna@acme.example,,\nbob@acme.example,,\n"


@pytest.fixture
def desk(cli: Cli) -> None:
    cli.ok("address", "add", "desk@acme.example", "--shared", "anna@acme.example")
    for name in ("aid", "help"):
        cli.ok("address", "add", f"{name}@acme.example", "--alias-of", "desk@acme.example")


@pytest.mark.usefixtures("desk")
def test_aliases_of_a_shared_address_that_are_not_listed_go(cli: Cli, tmp_path: Path) -> None:
    listed = SHARED_LIST + "desk@acme.example,shared,anna@acme.example\nhelp@acme.example,alias,desk@acme.example\n"
    assert take(cli, tmp_path, listed, "--sync")["removed"] == ["aid@acme.example"]
    # and with the address itself, whatever the order of their names; that they go is told
    done = take(cli, tmp_path, SHARED_LIST, "--sync")
    assert done["removed"] == ["desk@acme.example", "help@acme.example"]
    assert cli.json("address", "list") == []


@pytest.mark.usefixtures("desk")
@pytest.mark.parametrize("desk_row", ["", "desk@acme.example,group,anna@acme.example\n"])
def test_a_listed_alias_of_a_shared_mailbox_that_goes_is_a_bad_row(cli: Cli, tmp_path: Path, desk_row: str) -> None:
    file = tmp_path / "list.csv"
    file.write_text(SHARED_LIST + desk_row + "help@acme.example,alias,desk@acme.example\n")
    before = cli.json("address", "list")
    result = cli.run("mailbox", "import", "acme.example", str(file), "--sync")
    assert result.exit_code == 1
    assert "there is no mailbox desk@acme.example" in result.stderr
    assert cli.json("address", "list") == before
