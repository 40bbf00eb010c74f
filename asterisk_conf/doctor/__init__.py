"""Is everything in place for a call centre to work, and if not, what is to be done?"""

from __future__ import annotations

from asterisk_conf.doctor.finding import Finding
from asterisk_conf.doctor.run import SchemaState, run_checks

__all__ = ["Finding", "SchemaState", "run_checks"]
