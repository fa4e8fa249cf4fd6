"""The proof of one message as a page to print or to send on: HTML that needs nothing from elsewhere. Pure.

Everything in it comes from outside (addresses, replies): all is escaped, and what does not print is made visible.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

_STYLE = (
    "body{font:15px/1.45 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;color:#1b1f24}"
    "h1{font-size:1.4rem}h2{font-size:1.05rem;margin-top:2rem}"
    "dl{display:grid;grid-template-columns:minmax(6rem,11rem) 1fr;gap:.25rem 1rem}dt{color:#57606a}"
    "dd{margin:0;overflow-wrap:anywhere}"
    "code{font:13px ui-monospace,monospace}"
)
_STORED = {
    "intact": "still kept here, and the same to the last octet",
    "gone": "no longer kept here; the records outlive it",
    "differs": "kept here, but damaged: it is not what was received",
}


def page(proof: Mapping[str, Any], hostname: str, made: str) -> str:
    """``proof`` as ``store.queue.proofs.as_json`` gives it; ``hostname`` vouches for it; ``made`` is RFC 3339."""
    source = proof["user"] or proof["peer"]
    if proof["user"] and proof["peer"]:
        source = f"{proof['user']}, signed in from {proof['peer']}"
    named = f"{source} (it called itself {proof['helo']})" if proof["helo"] and source else source
    facts = [
        ("Message", _code(proof["message"])),
        ("From", _plain(proof["sender"]) if proof["sender"] else "the null sender (a report)"),
        ("Handed to us by", _plain(named) if named else "this server itself"),
        ("Over TLS", _plain(proof["tls"]) if proof["tls"] else "no"),
        ("Received whole", f"{_plain(proof['received'])}; answered 250 as soon as it was safe on disk"),
        ("Size", f"{proof['size']} octets"),
        ("SHA-256 as received", _code(proof["sha256"])),
        ("DKIM when it came", _dkim(proof["dkim"])),
        ("The message", _STORED[proof["stored"]]),
    ]
    parts = [_facts(facts)]
    parts += [_delivery(one) for one in proof["deliveries"]]
    if not proof["deliveries"]:
        parts.append("<p>It is owed to nobody: it was filed in a mailbox here only.</p>")
    title = f"Message {_plain(proof['message'])}"
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{title}</title>'
        f"<style>{_STYLE}</style></head>\n<body><h1>{title}</h1>\n"
        + "\n".join(parts)
        + f"\n<p>From the records of {_plain(hostname)}, {_plain(made)}.</p></body></html>\n"
    )


def _dkim(found: Mapping[str, Any]) -> str:
    text = {
        "pass": "a good signature",
        "fail": "no good signature",
        "none": "not signed",
        "temperror": "its key could not be asked for yet",
        "waiting": "not judged yet",
    }.get(found["verdict"], "could not be judged")
    return f"{text} of {_plain(', '.join(found['domains']))}" if found["domains"] else text


def _delivery(one: Mapping[str, Any]) -> str:
    to = "the primary" if one["destination"] == "primary" else "the world"
    state = {
        "delivered": f"accepted by {to}",
        "returned": "given back to its sender",
        "held": "held for a person",
    }.get(one["state"], f"waiting for {to}")
    facts = [("State", state), ("Attempts", str(one["attempts"]))]
    if one["finished"]:
        facts.append(("At", _plain(one["finished"])))
    if one["reply"]:
        facts.append(("In these words", _code(one["reply"])))
    if one["unknown_outcomes"]:
        facts.append(("Lost on the way", f"{one['unknown_outcomes']} times no reply came: it may be there already"))
    if one["sha256"]:
        same = "the same as received" if one["same"] else "not what was received"
        facts.append(("SHA-256 as given", f"{_code(one['sha256'])} ({same})"))
    if one["replay_of"]:
        facts.append(("Repeats", f"delivery {one['replay_of']}, because a person asked for it"))
    return f"<h2>Delivery {one['id']} to {_plain(one['recipient'])}</h2>\n{_facts(facts)}"


def _facts(facts: Sequence[tuple[str, str]]) -> str:
    return "<dl>" + "".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in facts) + "</dl>"


def _plain(text: str) -> str:
    return escape("".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text))


def _code(text: str) -> str:
    return f"<code>{_plain(text)}</code>"
