"""What kinds of spam filter stand in front of a primary, and what to enter in each console so that it fails over to
us."""

from __future__ import annotations

from attrs import frozen


@frozen
class Filter:
    """``setup``: for its console. ``by_experience``: not from the maker's own pages; say so where it is shown."""

    name: str
    setup: str
    by_experience: bool = False


_ALL = (
    Filter("none", "make us the MX of second preference, and allow our address at the primary"),
    Filter("generic", "enter our host as the next route after the primary"),
    Filter(
        "spamweeder", "destination route 2 = our host; its delivery addresses change: trust them by name, not number"
    ),
    Filter(
        "proofpoint", "fail-over site of the domain = our host; its own Emergency Inbox stays empty while we take mail"
    ),
    Filter("mimecast", "alternate route = our host, never a second equal route (that would be round robin)"),
    Filter("barracuda", "destination servers: primary, a space, our host (a comma would be round robin)"),
    Filter("defender", "one host name with two MX preferences as smart host, ours the second", by_experience=True),
)
FILTERS = {one.name: one for one in _ALL}
NAMES = tuple(FILTERS)
