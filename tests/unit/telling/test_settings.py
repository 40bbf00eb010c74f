"""The keys of those who are told: what is allowed, and one sentence for what is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from contact_center.errors import SettingsError
from contact_center.settings import load

GOOD = """
[mqtt]
url = "mqtts://me:secret@broker.example:8883"
prefix = "cc/london"
[webhooks]
allow_hosts = ["crm.lan", "127.0.0.1:9000", "[::1]:9000"]
[analytics]
url = "https://region1.google-analytics.com/mp/collect"
[tracking]
hold_seconds = 3600
url = "https://platform.example/events"
property = "shop"
event = "trPackageTransactionSummary"
send_at = "start"
send = "all"
"""


def test_every_key_can_be_set(tmp_path: Path) -> None:
    file = tmp_path / "callwright.toml"
    file.write_text(GOOD, encoding="utf-8")
    settings = load(file, {})
    assert settings.webhooks.allow_hosts == ("crm.lan", "127.0.0.1:9000", "[::1]:9000")
    assert (settings.mqtt.prefix, settings.tracking.event.value) == ("cc/london", "trPackageTransactionSummary")
    named = load(file, {"CALLWRIGHT_WEBHOOKS__ALLOW_HOSTS": "a.lan, b.lan:81"})
    assert named.webhooks.allow_hosts == ("a.lan", "b.lan:81")


@pytest.mark.parametrize(
    ("section", "line"),
    [
        ("mqtt", 'url = "http://broker"'), ("mqtt", 'prefix = "a/#"'), ("mqtt", 'prefix = ""'),
        ("webhooks", 'allow_hosts = ["http://crm.lan"]'), ("webhooks", 'allow_hosts = ["crm.lan:99999"]'),
        ("analytics", 'url = "https://x/?api_secret=1"'), ("tracking", 'send = "some"'),
        ("tracking", 'event = "ecOther"'), ("tracking", 'send_at = "later"'), ("tracking", "hold_seconds = 5"),
        ("tracking", 'open = "yes"'),
    ],
)  # fmt: skip
def test_what_is_not_allowed_is_said_in_one_sentence_that_names_the_key(
    tmp_path: Path, section: str, line: str
) -> None:
    file = tmp_path / "callwright.toml"
    file.write_text(f"[{section}]\n{line}\n", encoding="utf-8")
    with pytest.raises(SettingsError) as refused:
        load(file, {})
    assert f"{section}.{line.split(' ', maxsplit=1)[0]}" in str(refused.value)
    assert "\n" not in str(refused.value)
