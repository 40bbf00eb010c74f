"""Where we may send: a hundred hostile spellings, names that lead inside, and the plain ones that are fine."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contact_center.telling.addresses import NoSuchHost, NotAllowed, addresses_of, checked_url, is_public
from contact_center.telling.post import Post

HOSTILE = [
    # loopback and its spellings
    "https://127.0.0.1/", "https://127.0.0.1:8443/x", "https://127.1/", "https://127.0.1/", "https://0/",
    "https://0.0.0.0/", "https://2130706433/", "https://017700000001/", "https://0177.0.0.1/", "https://0x7f.1/",
    "https://0x7f000001/", "https://0x7f.0x0.0x0.0x1/", "https://127.0.0.1./", "https://127.000.000.001/",
    "https://127.255.255.254/", "https://0127.0.0.1/", "https://00000177.1/", "https://0x7F.1/", "https://1/",
    "https://[::1]/", "https://[0:0:0:0:0:0:0:1]/", "https://[::]/", "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/", "https://[::127.0.0.1]/", "https://[0::1]/", "https://[::1%25lo]/",
    "https://[fe80::1%25eth0]/", "https://localhost/", "https://LOCALHOST/", "https://localhost./",
    "https://foo.localhost/", "https://localhost.localdomain/", "https://ip6-localhost/",
    # link-local, where clouds keep their secrets
    "https://169.254.169.254/latest/meta-data/", "https://169.254.0.1/", "https://2852039166/",
    "https://0xa9fea9fe/", "https://0xa9.0xfe.0xa9.0xfe/", "https://0251.0376.0251.0376/", "https://169.254.43518/",
    "https://[::ffff:169.254.169.254]/", "https://[::ffff:a9fe:a9fe]/", "https://[fe80::1]/", "https://[febf::1]/",
    "https://metadata.internal/", "https://metadata.google.internal/", "https://[fd00:ec2::254]/",
    # private
    "https://10.0.0.1/", "https://10.255.255.255/", "https://10.1/", "https://167772161/", "https://0x0a000001/",
    "https://012.0.0.1/", "https://172.16.0.1/", "https://172.31.255.255/", "https://192.168.0.1/",
    "https://192.168.1/", "https://3232235777/", "https://0xc0a80101/", "https://0300.0250.1.1/",
    "https://[fc00::1]/", "https://[fd12:3456::1]/", "https://[::ffff:10.0.0.1]/", "https://[fec0::1]/",
    "https://100.64.0.1/", "https://100.127.255.254/", "https://router.lan/", "https://printer.local/",
    "https://db.corp/", "https://nas.home/", "https://intranet/", "https://wiki.intranet/", "https://kubernetes/",
    # special
    "https://192.0.0.1/", "https://192.0.2.1/", "https://198.18.0.1/", "https://198.51.100.1/",
    "https://203.0.113.1/", "https://192.88.99.1/", "https://224.0.0.1/", "https://239.255.255.255/",
    "https://240.0.0.1/", "https://255.255.255.255/", "https://[ff02::1]/", "https://[2001:db8::1]/",
    "https://[64:ff9b::7f00:1]/", "https://[64:ff9b::a9fe:a9fe]/", "https://[64:ff9b:1::1]/",
    "https://[2002:7f00:1::1]/", "https://[2002:a9fe:a9fe::]/", "https://[2001::1]/", "https://[2001:0:7f00:1::]/",
    "https://[100::1]/", "https://[::ffff:0:127.0.0.1]/", "https://[3fff::1]/", "https://[5f00::1]/",
    # read in two ways
    "https://example.com@127.0.0.1/", "https://user:word@example.com/", "https://example.com#@127.0.0.1/",
    "https://127.0.0.1#.example.com/", "https://127.0.0.1?.example.com/", "https://example.com\\@127.0.0.1/",
    "https://example.com\\.127.0.0.1/", "https:///127.0.0.1/", "https://%31%32%37.0.0.1/", "https://127.0.0.1%00.x/",
    "https://example.com:80:443/", "https://exa mple.com/", " https://example.com/", "https://example.com/\r\nX: 1",
    "https://example.com/\t", "https://\uff11\uff12\uff17.0.0.1/", "https://127\u30020\u30020\u30021/", "https://\u24dbocalhost/",
    "https://[::1/", "https://::1/", "https://[example.com]/", "https://exam_ple..com/", "https://-a.example/",
    "https://.example.com/", "https://example.com:0/", "https://example.com:99999/", "https://example.0x7f/",
    "https://1.2.3.4.5/", "https://256.256.256.256/", "https://1.1.1.08/", "https://4294967296.1/",
    # not https
    "http://example.com/", "ftp://example.com/", "file:///etc/passwd", "gopher://127.0.0.1:6379/_INFO",
    "dict://127.0.0.1:11211/", "ws://example.com/", "//example.com/", "example.com/hook", "https:example.com",
    "javascript:alert(1)", "data:text/plain,x", "unix:///run/docker.sock", "jar:https://example.com!/", "",
    "https://", "https://?", "https://:443/", "https://" + "a" * 400 + ".example/",
]  # fmt: skip

FINE = [
    "https://crm.example.com/calls?source=callwright", "https://example.com:8443/hook", "https://93.184.216.34/x",
    "https://[2606:2800:220:1:248:1893:25c8:1946]/x", "https://xn--bcher-kva.example/hook", "https://a.b-c.example/",
]  # fmt: skip


def test_there_are_over_a_hundred_hostile_spellings_and_no_two_are_the_same() -> None:
    assert len(set(HOSTILE)) == len(HOSTILE) >= 120


@pytest.mark.parametrize("url", HOSTILE)
def test_a_hostile_address_is_refused_before_anything_is_asked(url: str) -> None:
    with pytest.raises(NotAllowed):
        checked_url(url)


@pytest.mark.parametrize("url", HOSTILE)
async def test_a_hostile_address_is_refused_when_something_is_sent_too(url: str) -> None:
    asked: list[str] = []

    async def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"]

    async with Post(resolve=resolve) as post:
        reply = await post.send(url, {}, b"{}")
    assert (reply.status, reply.is_ok) == (0, False)
    assert not asked


@pytest.mark.parametrize("url", FINE)
def test_a_plain_public_address_is_taken(url: str) -> None:
    assert checked_url(url).url == url


def test_a_host_that_the_settings_name_may_be_local_and_spoken_to_by_http() -> None:
    assert checked_url("http://127.0.0.1:9000/hook", ["127.0.0.1:9000"]).is_named
    assert checked_url("http://crm.lan/hook", ["crm.lan"]).is_named
    assert checked_url("http://[::1]:9000/", ["[::1]:9000"]).is_named
    for url in (
        "http://127.0.0.1:9001/hook",
        "http://127.0.0.2:9000/",
        "http://0x7f.1:9000/",
        "http://x@127.0.0.1:9000/",
    ):
        with pytest.raises(NotAllowed):
            checked_url(url, ["127.0.0.1:9000"])


@pytest.mark.parametrize(
    "found",
    [["127.0.0.1"], ["93.184.216.34", "10.0.0.1"], ["::1"], ["fe80::1%2"], ["::ffff:127.0.0.1"], ["169.254.169.254"]],
)
async def test_a_name_that_leads_inside_is_refused_even_when_it_leads_outside_too(found: list[str]) -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return found

    with pytest.raises(NotAllowed):
        await addresses_of(checked_url("https://rebound.example/"), resolve)


async def test_a_name_without_an_address_is_told_apart() -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        raise OSError("nothing")

    with pytest.raises(NoSuchHost):
        await addresses_of(checked_url("https://gone.example/"), resolve)


async def test_a_name_that_turns_round_between_two_looks_is_not_connected_to() -> None:
    answers = [["93.184.216.34"], ["127.0.0.1"]]

    async def resolve(host: str, port: int) -> Sequence[str]:
        return answers.pop(0)

    async with Post(resolve=resolve) as post:
        await post.look("https://rebound.example/")
        reply = await post.send("https://rebound.example/", {}, b"{}")
    assert reply.status == 0
    assert "127.0.0.1" in reply.error
    assert not answers


@given(st.ip_addresses(v=4))
def test_no_ipv4_address_is_public_that_the_registry_calls_private(address: ipaddress.IPv4Address) -> None:
    if address.is_private or address.is_loopback or address.is_link_local or address.is_multicast:
        assert not is_public(address)


@given(st.ip_addresses(v=6))
def test_no_ipv6_address_is_public_that_holds_or_is_a_private_one(address: ipaddress.IPv6Address) -> None:
    if is_public(address):
        assert address.is_global
        assert address.ipv4_mapped is None
        assert address.sixtofour is None
        assert address.teredo is None
