"""StrataMail: a mail-continuity server. See ARCHITECTURE.rst beside this file."""

__version__ = "0.1.0"
