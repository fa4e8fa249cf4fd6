"""What kind of server answered at each host: told by its banner, for domains whose profile is not set by a person. In
memory only; it is learned again with the first connection."""

from __future__ import annotations

from stratamail.profiles.primaries import Profile, of
from stratamail.tenancy.model import Domain, HostPort

# banners kept
_MANY = 10_000


class Kinds:
    def __init__(self) -> None:
        self._banners: dict[HostPort, str] = {}

    def greeted(self, where: HostPort, banner: str) -> None:
        """``where`` has greeted us so."""
        if len(self._banners) >= _MANY and where not in self._banners:
            self._banners.clear()
        self._banners[where] = banner[:500]

    def profile(self, domain: Domain) -> Profile:
        """The profile in force for ``domain``'s primary."""
        banners = (self._banners.get(one, "") for one in domain.primaries)
        banner = next((one for one in banners if one), "")
        return of(domain.profile, [one.host for one in domain.primaries], banner)
