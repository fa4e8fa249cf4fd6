"""Tells twistd that there is a server called "stratamail"."""

from twisted.application.service import ServiceMaker

stratamail = ServiceMaker("StrataMail", "stratamail.app.tap", "The StrataMail mail-continuity server", "stratamail")
