"""Taking mail in: who may send what to whom, and one durable commit before each 250.

Promises: a 250 means that the message and what is owed of it are committed; a fault of ours is 451 or 452, never a
permanent refusal; no octet of a message is changed (but what our own users submit first gets a Date and a Message-ID
when they are missing, and loses Bcc); nobody relays through us.
"""
