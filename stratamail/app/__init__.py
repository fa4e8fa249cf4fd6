"""The composition root: the only place that knows every room. It builds them, wires them together, and runs them.

``tap`` is what twistd loads, ``build`` makes the objects, ``service`` starts and stops them in order, ``doors`` opens
the listeners, ``wake`` takes the pokes of the command line, ``wiring`` holds the callbacks between capabilities,
``running`` is the mark of a server at work, ``privileges`` drops root's rights.
"""
