from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from tests.lab.farend import tones
from tests.lab.farend.hearing import NOTHING, OTHER, SILENCE, Ear
from tests.lab.farend.tones import Pairs, Sound, classify


def mixed(codec: str, *frames: bytes, cut: int = 0) -> bytes:
    table = tones.decode_table(codec)
    wave = np.sum([table[np.frombuffer(frame, np.uint8)] for frame in frames], axis=0)
    return tones.encode(np.roll(wave, cut), codec)


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
def test_every_pair_of_a_phone_and_a_customer_is_told_apart_when_mixed(codec: str) -> None:
    pairs = Pairs()
    phones = {f"p{n}": pairs.take("phone", f"p{n}") for n in range(60)}
    customers = {f"c{n}": pairs.take("customer", f"c{n}") for n in range(60)}
    for n, ((phone, low), (customer, high)) in enumerate(zip(phones.items(), customers.items(), strict=True)):
        frame = mixed(codec, tones.tone_frame(low, codec), tones.tone_frame(high, codec), cut=n)
        sound = classify([frame], codec)[0]
        assert pairs.who(sound.bins, frozenset()) == (frozenset({phone, customer}), False)
        assert not sound.other


def test_two_phones_and_a_customer_mixed_are_three_parties() -> None:
    pairs = Pairs()
    names = [f"p{n}" for n in range(12)]
    own = {name: pairs.take("phone", name) for name in names} | {"c": pairs.take("customer", "c")}
    for one, other in pairwise(names):
        frame = mixed("PCMU", *(tones.tone_frame(own[name], "PCMU") for name in (one, other, "c")))
        sound = classify([frame], "PCMU")[0]
        assert pairs.who(sound.bins, frozenset()) == (frozenset({one, other, "c"}), False)


def test_a_party_under_a_prompt_is_heard_with_something_else() -> None:
    pairs = Pairs()
    pair = pairs.take("customer", "c")
    speech = tones.speech_frames(2.0, "PCMU")
    frames = [mixed("PCMU", tones.tone_frame(pair, "PCMU"), frame) for frame in speech]
    loud = [n for n, sound in enumerate(classify(list(speech), "PCMU")) if sound.other]
    sounds = classify(frames, "PCMU")
    heard = sum(pairs.who(sounds[n].bins, frozenset())[0] == {"c"} for n in loud)
    assert heard > 0.95 * len(loud)


def test_speech_silence_ringback_and_beep_are_no_party() -> None:
    pairs = Pairs()
    for n in range(100):
        pairs.take("phone", f"p{n}")
        pairs.take("customer", f"c{n}")
    for frame in (
        tones.silent_frame("PCMU"),
        tones.ringback_frame("PCMU"),
        tones.beep_frames(0.1, "PCMU")[1],
    ):
        sound = classify([frame], "PCMU")[0]
        assert pairs.who(sound.bins, frozenset())[0] == frozenset()
    assert classify([tones.silent_frame("PCMA")], "PCMA")[0].silent
    assert classify([tones.ringback_frame("PCMA")], "PCMA")[0].ringback


def test_a_pair_is_not_handed_out_again_soon() -> None:
    pairs = Pairs()
    first = pairs.take("phone", "p")
    pairs.release(first)
    assert all(pairs.take("phone", f"p{n}") != first for n in range(300))


def test_more_parties_than_pairs_of_one_side_still_get_pairs_of_their_own() -> None:
    pairs = Pairs()
    assert len({pairs.take("phone", f"p{n}") for n in range(1000)}) == 1000


def test_an_ear_writes_intervals_of_who_was_heard_when() -> None:
    pairs = Pairs()
    ear = Ear(pairs, 100.0)
    agent, customer = (
        Sound(frozenset(pairs.take("phone", "a"))),
        Sound(frozenset(pairs.take("customer", "c"))),
    )
    both = Sound(agent.bins | customer.bins)
    plan = [(agent, 10), (both, 10), (Sound(), 5), (Sound(other=True), 10)]
    at = 101.0
    for sound, frames in plan:
        for _ in range(frames):
            ear.feed(at, sound)
            at += 0.02
    told = [(round(x.start_at, 2), round(x.end_at, 2), set(x.heard)) for x in ear.until(at + 1.0)]
    assert told == [
        (100.0, 101.0, {NOTHING}),
        (101.0, 101.2, {"a"}),
        (101.2, 101.4, {"a", "c"}),
        (101.4, 101.5, {SILENCE}),
        (101.5, 101.7, {OTHER}),
        (101.7, 102.7, {NOTHING}),
    ]


def test_one_odd_frame_is_no_sound() -> None:
    pairs = Pairs()
    ear = Ear(pairs, 0.0)
    agent = Sound(frozenset(pairs.take("phone", "a")))
    for n in range(20):
        ear.feed(n * 0.02, Sound(other=True) if n == 10 else agent)
    assert [x.heard for x in ear.until(0.4)] == [{"a"}]


def test_a_pause_in_the_packets_is_nothing() -> None:
    ear = Ear(Pairs(), 0.0)
    for at in (0.0, 0.02, 0.04, 0.5, 0.52):
        ear.feed(at, Sound())
    told = [(round(x.start_at, 2), round(x.end_at, 2), set(x.heard)) for x in ear.until(0.54)]
    assert told == [(0.0, 0.06, {SILENCE}), (0.06, 0.5, {NOTHING}), (0.5, 0.54, {SILENCE})]
