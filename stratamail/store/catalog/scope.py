"""What one account may see: itself and the accounts below it. Every repository narrows by this. Writes nothing."""

from __future__ import annotations

from functools import lru_cache

from sqlalchemy import Select, select

from stratamail.store.catalog.schema import accounts


class Refused(Exception):
    """A change or a question that the catalog turns down; its text is for the person who asked."""


@lru_cache(maxsize=1024)
def visible(account: int) -> Select[int]:
    """The ids of ``account`` and of every account below it, as a subquery."""
    tree = select(accounts.c.id).where(accounts.c.id == account).cte("tree", recursive=True)
    below = select(accounts.c.id).join(tree, accounts.c.parent == tree.c.id)
    return select(tree.union(below).c.id)
