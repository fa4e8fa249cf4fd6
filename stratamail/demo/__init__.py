"""The story of ``stratamail demo``: a company's server goes down, its people go on, and everything is given back.

The real server runs as a process of its own on free loopback ports with a temporary state; the company's mail server,
the senders, the name server and the people are played here, on threads and blocking sockets. ``story`` tells it step by
step, ``checks`` judges it. Writes one temporary folder, removed at the end unless it is asked to stay.
"""
