"""``python -m tests.security.fuzz_run TARGET [options of libFuzzer]``: coverage-guided fuzzing with atheris."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["stratamail"]):
    from tests.security.fuzz_targets import TARGETS

atheris.Setup([sys.argv[0], *sys.argv[2:]], TARGETS[sys.argv[1]])
atheris.Fuzz()
