"""Signatures, held to the example of the standard's own reference implementations."""

from __future__ import annotations

import base64
import hashlib
import hmac
import random

import pytest

from contact_center.errors import UsageError
from contact_center.store import webhook_work
from contact_center.telling.schedule import ATTEMPTS, DELAYS, WHOLE_SECONDS, delay_after, rest_seconds
from contact_center.telling.signing import fresh_secret, headers, key_of, signature


def test_the_signature_is_that_of_the_reference_implementations() -> None:
    # the vector that the standard's libraries test themselves with
    made = signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_fresh_secret_has_32_bytes_and_signs() -> None:
    secret = fresh_secret()
    assert secret.startswith("whsec_")
    assert len(key_of(secret)) == 32
    own = hmac.new(base64.b64decode(secret[6:]), b"evt_1.7.{}", hashlib.sha256).digest()
    assert signature(secret, "evt_1", 7, b"{}") == "v1," + base64.b64encode(own).decode()


def test_two_secrets_give_two_signatures_while_one_takes_the_place_of_the_other() -> None:
    first, second = fresh_secret(), fresh_secret()
    made = headers([first, second], "evt_1", 7, b"{}")
    assert made["webhook-id"] == "evt_1"
    assert made["webhook-timestamp"] == "7"
    assert made["webhook-signature"].split(" ") == [signature(s, "evt_1", 7, b"{}") for s in (first, second)]


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_c2hvcnQ=", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_!!"])
def test_a_secret_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        key_of(text)


def test_the_schedule_has_ten_attempts_over_three_days_and_a_jitter_that_only_lengthens() -> None:
    assert ATTEMPTS == len(DELAYS) == webhook_work.ATTEMPTS == 10
    assert DELAYS == (0, 5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
    assert sum(DELAYS) == WHOLE_SECONDS
    dice = random.Random(1)
    for attempts in range(1, ATTEMPTS):
        assert DELAYS[attempts] <= delay_after(attempts, dice) <= DELAYS[attempts] * 1.1
    with pytest.raises(IndexError):
        delay_after(ATTEMPTS, dice)


def test_a_receiver_counts_as_away_after_three_failures_and_is_asked_at_least_every_five_minutes() -> None:
    assert [rest_seconds(n) for n in range(6)] == [0, 0, 0, 5, 10, 20]
    assert rest_seconds(1000) == 300
