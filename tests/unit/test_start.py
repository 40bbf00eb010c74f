"""What a new process loads before it has control of the calls."""

from __future__ import annotations

import subprocess
import sys

from tests.lab.centre import ROOT

LATER = {"fastapi", "starlette", "aiomqtt", "numpy"}


def test_the_web_framework_is_not_loaded_before_calls_are_served():
    code = "import sys, ari_app.serve; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "ari_app.serve" in loaded
    assert loaded & LATER == set()
