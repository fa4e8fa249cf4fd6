"""The command line. It works whether or not the server runs: it writes in short transactions, then pokes the server.

``session`` opens the databases as their owner and pokes the server, ``show`` prints, one file a group of commands
does the rest, and ``main`` is the way in.
"""
