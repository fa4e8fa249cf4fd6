"""Who a recipient is, today: an immutable picture of the catalog, held in memory and asked for every recipient.

A change makes a new ``Directory``; nobody changes one. Lookups are dictionary reads (microseconds), so the doors ask
it without a thread. It decides only who sees a shadow copy and who may send as whom: what is owed to a primary is
always the recipient as it stood in the envelope. Writes nothing.

An *alias domain* has its main domain's mailboxes and takes every setting (primaries, trust, mode) from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from attrs import evolve

from stratamail.mail import address as addresses
from stratamail.tenancy.model import Address, Domain, Mailbox, Resolution

ALIAS, GROUP, SHARED = "alias", "group", "shared"
MAILBOX = "mailbox"
_FOREIGN = Resolution(None)
POSTMASTER = "postmaster"
# in a mailbox's name: the delimiter, wildcards, what a client must quote, control characters
_UNNAMABLE = re.compile(r'[/%*"\\\x00-\x1f\x7f-\x9f\ud800-\udfff]')


class Directory:
    """The domains, mailboxes and addresses of all accounts. Arguments in any order; addresses in key form."""

    def __init__(
        self,
        domains: Iterable[Domain] = (),
        mailboxes: Iterable[Mailbox] = (),
        addresses: Iterable[Address] = (),
    ) -> None:
        given = {domain.id: domain for domain in domains}
        self._main: dict[str, str] = {}
        self._domains: dict[str, Domain] = {}
        for domain in given.values():
            main = _main_of(domain, given)
            self._main[domain.name] = main.name
            self._domains[domain.name] = domain if main is domain else _inherit(domain, main)
        self._boxes: dict[str, Mailbox] = {}
        self._by_id: dict[int, Mailbox] = {}
        self._of_domain: dict[int, list[Mailbox]] = {}
        for box in mailboxes:
            self._boxes[box.address] = box
            self._by_id[box.id] = box
            self._of_domain.setdefault(box.domain, []).append(box)
        self._addresses: dict[str, Address] = {}
        self._read: dict[str, list[Mailbox]] = {}
        for entry in addresses:
            self._addresses[entry.address] = entry
            if entry.kind == SHARED and entry.address in self._boxes:
                for reader in entry.members:
                    self._read.setdefault(reader, []).append(self._boxes[entry.address])
        self._names = _names(box for box in self._by_id.values() if box.kind == SHARED)

    def domains(self) -> list[Domain]:
        """Every protected domain, alias domains included, in order of their ids."""
        return sorted(self._domains.values(), key=lambda domain: domain.id)

    def domain(self, name: str) -> Domain | None:
        """The protected domain ``name`` (any case, U- or A-label), or None when it is not ours."""
        return self._domains.get(name) or self._domains.get(addresses.domain_key(name))

    def mailboxes(self, domain: str | None = None) -> Sequence[Mailbox]:
        """The mailboxes of a domain (an alias domain has its main domain's), or all of them."""
        if domain is None:
            return list(self._by_id.values())
        found = self.domain(domain)
        if found is None:
            return []
        return list(self._of_domain.get(found.alias_of or found.id, ()))

    def addresses(self) -> list[Address]:
        """Every listed address that is no mailbox."""
        return list(self._addresses.values())

    def is_still(self, key: str, before: Directory) -> bool:
        """Whether an address key is a mailbox's own, and no other's than in an earlier picture."""
        now, then = self._boxes.get(key), before._boxes.get(key)
        return now is not None and then is not None and now.id == then.id

    def mailbox_by_id(self, id: int) -> Mailbox | None:
        return self._by_id.get(id)

    def mailbox(self, login: str) -> Mailbox | None:
        """The mailbox that a person signing in as ``login`` means: its address or an alias of it, in any case. Nobody
        signs in to a shared one."""
        box = self.mailbox_at(login)
        return None if box is None or box.kind == SHARED else box

    def mailbox_at(self, address: str) -> Mailbox | None:
        """The mailbox, a shared one too, that has ``address`` or an alias of that name, in any case."""
        name = self._canonical(addresses.key(address))
        box = self._boxes.get(name)
        if box is not None:
            return box
        entry = self._addresses.get(name)
        if entry is not None and entry.kind == ALIAS and entry.members:
            return self._boxes.get(entry.members[0])
        return None

    def shared_with(self, mailbox: Mailbox) -> dict[str, Mailbox]:
        """The shared mailboxes that ``mailbox`` reads, by the names that all of their readers know them by: the local
        part of the address, or all of it where an older shared mailbox of the account has that name."""
        reader = self._today(mailbox)
        found = [box for box in self._read.get(reader.address, ()) if box.account == reader.account] if reader else []
        return {self._names[box.id]: box for box in found if box.state == "enabled"}

    def beside(self, mailbox: Mailbox) -> list[Mailbox]:
        """Where its mail may have been moved to: the mailboxes of the readers, when it is a shared one, or the shared
        ones that it reads."""
        if mailbox.kind != SHARED:
            return list(self.shared_with(mailbox).values())
        entry = self._addresses.get(mailbox.address)
        return [self._boxes[reader] for reader in entry.members if reader in self._boxes] if entry else []

    def resolve(self, address: str) -> Resolution:
        """What ``address``, as it stood in an envelope, means now. Never raises; a foreign address has no domain."""
        key = addresses.key(address)
        local, at, name = key.rpartition("@")
        domain = self._domains.get(name)
        if domain is None or not at:
            return _FOREIGN
        main = self._main[name]
        if main != name:
            key = f"{local}@{main}"
        shadows = domain.mode != "relay-only"
        box = self._boxes.get(key)
        if box is not None:
            return Resolution(domain, True, (box.id,) if shadows else ())
        found, key = self._entry(key)
        listed = found is not None or local == POSTMASTER
        if not shadows:
            return Resolution(domain, listed)
        if isinstance(found, Mailbox):
            return Resolution(domain, True, (found.id,))
        if isinstance(found, Address):
            ids = self._expand(found)
            orphan = found.kind == ALIAS and not ids
            return Resolution(domain, True, ids, key if orphan else "")
        return Resolution(domain, listed, (), key)

    def may_send_as(self, mailbox: Mailbox, sender: str) -> bool:
        """Whether ``mailbox`` may write ``sender`` as its own: its address, a plus-address or an alias of it, a shared
        address that it reads, or an address that names it under send-as. The null sender is nobody's."""
        found, _ = self._entry(self._canonical(addresses.key(sender)))
        today = self._today(mailbox)
        if today is None:
            return False
        mailbox = today
        if isinstance(found, Address) and found.kind == ALIAS and found.members:
            target = self._boxes.get(found.members[0])
            if target is not None and target.kind == SHARED and mailbox.address not in found.send_as:
                found = target
        if isinstance(found, Mailbox):
            if found.kind != SHARED:
                return found.id == mailbox.id
            found = self._addresses.get(found.address)
        if found is None or found.account != mailbox.account:
            return False
        if mailbox.address in found.send_as:
            return True
        return found.kind in (ALIAS, SHARED) and mailbox.address in found.members

    def same_customer(self, mailbox: Mailbox, address: str) -> bool:
        """Whether ``address`` lies in a domain of the mailbox's own account (internal mail passes no filter)."""
        domain, sender = self.domain(addresses.split(address)[1]), self._today(mailbox)
        return domain is not None and sender is not None and domain.account == sender.account

    def _today(self, mailbox: Mailbox) -> Mailbox | None:
        """What a mailbox that somebody signed in to a while ago is now: its domain may have another owner."""
        return self._by_id.get(mailbox.id)

    def _canonical(self, key: str) -> str:
        """An address key with an alias domain replaced by its main domain."""
        local, at, name = key.rpartition("@")
        main = self._main.get(name, name)
        return key if main == name else f"{local}{at}{main}"

    def _entry(self, key: str) -> tuple[Mailbox | Address | None, str]:
        """What a canonical key names, itself or without its +tag; and the key that an enrolment would claim it by."""
        found = self._boxes.get(key) or self._addresses.get(key)
        if found is not None:
            return found, key
        local, _, name = key.rpartition("@")
        base, plus, _ = local.partition("+")
        if not plus or not base:
            return None, key
        key = f"{base}@{name}"
        return self._boxes.get(key) or self._addresses.get(key), key

    def _expand(self, entry: Address) -> tuple[int, ...]:
        """The mailboxes behind an alias, group or shared address, each once, in order of naming; cycles end."""
        ids: dict[int, None] = {}
        seen = {entry.address}
        waiting = list(reversed(entry.members))
        while waiting:
            found, key = self._entry(self._canonical(waiting.pop()))
            if isinstance(found, Mailbox):
                # a group may name anybody, but a copy never crosses into another account
                if found.account == entry.account:
                    ids[found.id] = None
            elif found is not None and key not in seen and found.account == entry.account:
                seen.add(key)
                waiting.extend(reversed(found.members))
        return tuple(ids)


def _names(boxes: Iterable[Mailbox]) -> dict[int, str]:
    """What shared mailboxes are called, by id; no two of an account alike."""
    names: dict[int, str] = {}
    taken: set[tuple[int, str]] = set()
    for box in sorted(boxes, key=lambda box: box.id):
        whole = _UNNAMABLE.sub("_", box.address)
        local = whole.rpartition("@")[0]
        for name in (local, whole, f"{whole} {box.id}"):
            if (box.account, name) not in taken:
                break
        taken.add((box.account, name))
        names[box.id] = name
    return names


def _main_of(domain: Domain, given: dict[int, Domain]) -> Domain:
    """The main domain behind an alias domain; itself when it has none (or when a chain would not end)."""
    seen = {domain.id}
    at = domain
    while at.alias_of is not None and at.alias_of in given and at.alias_of not in seen:
        at = given[at.alias_of]
        seen.add(at.id)
    return at


def _inherit(alias: Domain, main: Domain) -> Domain:
    return evolve(main, id=alias.id, name=alias.name, alias_of=main.id)
