"""What a check found. Pure."""

from __future__ import annotations

from attrs import frozen

OK, WARNING, FAILURE = "ok", "warning", "failure"


@frozen
class Finding:
    """``check`` names the check, ``subject`` what was looked at; ``cure`` is "" when there is nothing to cure."""

    check: str
    subject: str
    level: str
    text: str
    cure: str = ""


def ok(check: str, subject: str, text: str) -> Finding:
    return Finding(check, subject, OK, text)


def warning(check: str, subject: str, text: str, cure: str) -> Finding:
    return Finding(check, subject, WARNING, text, cure)


def failure(check: str, subject: str, text: str, cure: str) -> Finding:
    return Finding(check, subject, FAILURE, text, cure)
