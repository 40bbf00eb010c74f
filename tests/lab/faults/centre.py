"""A contact centre whose `serve` reaches Asterisk through proxies only."""

from __future__ import annotations

from typing import Any, Self

from contact_center import settings as settings_file
from tests.lab.centre import Centre
from tests.lab.faults.tcp import TcpProxy

ARI_PORT, AMI_PORT = 8088, 5038


class ProxiedCentre(Centre):
    """`ari` and `ami` are the proxies. Commands of the CLI go through them, too."""

    ari: TcpProxy
    ami: TcpProxy

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        at = self.block.take()
        for name, port in (("ari", ARI_PORT), ("ami", AMI_PORT)):
            proxy = TcpProxy((at, port), (self.asterisk_at, port))
            setattr(self, name, await self._stack.enter_async_context(proxy))
        # serve must end before its proxies do, or it would see them fail
        self._stack.push_async_callback(self._end_serve)
        self.direct = self.settings
        text = self.config.read_text()
        text = text.replace(f"{self.asterisk_at}:{ARI_PORT}", f"{at}:{ARI_PORT}")
        self.config.write_text(text.replace(f'ami_host = "{self.asterisk_at}"', f'ami_host = "{at}"'))
        self.settings = settings_file.load(self.config, {})
        return self

    direct: Any
