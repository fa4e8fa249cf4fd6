"""The composition root: the only place that knows every room. It builds them, wires what one tells another, and runs them.

``tap`` is what twistd loads, ``build`` makes the objects, ``service`` starts and stops them in order, ``wake`` takes the
pokes of the command line, ``wiring`` holds the callbacks between capabilities, ``privileges`` drops root's rights,
``logs`` keeps secrets out of the log.
"""
