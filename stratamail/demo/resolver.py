"""The demo's name server: TXT, MX and A records from a table, over UDP on one thread."""

from __future__ import annotations

import contextlib
import socket
import threading

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset


class Resolver:
    """``records`` maps (name, "TXT") to texts as they stand in a zone file."""

    def __init__(self, records: dict[tuple[str, str], list[str]]) -> None:
        self._records = records
        self._socket = socket.socket(type=socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                data, peer = self._socket.recvfrom(4096)
            except OSError:
                return
            with contextlib.suppress(dns.exception.DNSException, OSError):
                self._socket.sendto(self._answer(data), peer)

    def _answer(self, data: bytes) -> bytes:
        query = dns.message.from_wire(data)
        response = dns.message.make_response(query)
        response.flags |= dns.flags.AA | dns.flags.RA
        for question in query.question:
            name = question.name.to_text(omit_final_dot=True).lower()
            texts = self._records.get((name, dns.rdatatype.to_text(question.rdtype)))
            if texts is not None:
                response.answer.append(dns.rrset.from_text_list(question.name, 60, question.rdclass, "TXT", texts))
            elif not any(known == name for known, _ in self._records):
                response.set_rcode(dns.rcode.NXDOMAIN)
        return response.to_wire()


def ask(address: str, name: str) -> bytes | None:
    """The TXT record of ``name``, its strings joined, or None. One question over UDP, two seconds at most."""
    host, _, port = address.rpartition(":")
    query = dns.message.make_query(name, "TXT")
    with socket.socket(type=socket.SOCK_DGRAM) as asking:
        asking.settimeout(2)
        asking.sendto(query.to_wire(), (host, int(port)))
        answer = dns.message.from_wire(asking.recv(4096))
    for rrset in answer.answer:
        for record in rrset:
            return b"".join(record.strings)
    return None
