"""Root's rights: given up while the server starts, taken back to bind the doors, and dropped for good after that.

The server becomes the owner of STATE. What it writes before the doors are bound belongs to that owner already.
"""

from __future__ import annotations

import codecs
import os
import pwd

from stratamail.store import database

# Python loads a codec when it is first used; the owner of STATE may not be able to read where Python and we lie
_CODECS = ("ascii", "latin-1", "utf-8", "utf-8-sig", "utf-16", "idna", "punycode", "hex", "base64", "quopri")


class Privileges:
    """``state`` is the directory whose owner we become; ``user`` is ``[server] user``, "" for that owner."""

    def __init__(self, state: str, user: str) -> None:
        self._is_root = os.geteuid() == 0
        for codec in _CODECS:
            codecs.lookup(codec)
        for name in ("catalog", "queue"):
            database.migrations(name)
        if user:
            entry = pwd.getpwnam(user)
            self.uid, self.gid = entry.pw_uid, entry.pw_gid
        else:
            found = os.stat(state)
            self.uid, self.gid = found.st_uid, found.st_gid

    @property
    def _act(self) -> bool:
        return self._is_root and self.uid != 0

    def lower(self) -> None:
        """Act as the owner; root can still be had back."""
        if self._act:
            os.setegid(self.gid)
            os.seteuid(self.uid)

    def raise_(self) -> None:
        """Be root again, to bind low ports."""
        if self._act:
            os.seteuid(0)
            os.setegid(0)

    def drop(self) -> None:
        """Become the owner for good, with the owner's groups and no others."""
        if not self._act:
            return
        os.seteuid(0)
        try:
            os.initgroups(pwd.getpwuid(self.uid).pw_name, self.gid)
        except KeyError:
            os.setgroups([])  # a uid without a name has no groups
        os.setgid(self.gid)
        os.setuid(self.uid)
