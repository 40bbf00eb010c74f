"""The HTTP API of a running ``serve``: leads in, control of campaigns and agents, events out."""

from __future__ import annotations

from contact_center.http.api.desk import ApiDesk
from contact_center.http.api.site import api_routers

__all__ = ["ApiDesk", "api_routers"]
