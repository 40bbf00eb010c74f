"""Databases with all tables and no rows, copied: the migrations take longer than most tests."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from contact_center.store.schema import upgrade


@cache
def _fresh() -> Path:
    folder = tempfile.mkdtemp(prefix="cw-fresh-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    file = Path(folder) / "callwright.db"
    upgrade(f"sqlite:///{file}")
    return file


def fresh_sqlite(file: Path) -> str:
    """Make this file one, where it is not there yet; its URL."""
    if not file.exists():
        shutil.copy(_fresh(), file)
    return f"sqlite:///{file}"
