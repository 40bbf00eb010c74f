"""Who is heard in 20 ms of audio.

Every party in a call sends its own pair of tones, both multiples of 50 Hz: one FFT bin each in a frame of 160
samples at 8 kHz. Phones use 550 to 1950 Hz, customers 2000 to 3400 Hz, so a phone and a customer heard at
once never mix up; 350 to 500 Hz is left free for ringback and dial tones. Pairs are handed out in an order in
which no two pairs can be mistaken for two others (no four-cycles) for as long as possible.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

FRAME = 160
AMPLITUDE = 4000.0
PHONE_BINS = range(11, 40)
CUSTOMER_BINS = range(40, 69)
RINGBACK_BINS = (7, 8, 9, 10)
EXPECTED = AMPLITUDE * FRAME / 2
SILENT_RMS = 40.0

Pair = tuple[int, int]


def _decode_ulaw() -> NDArray[np.float32]:
    code = ~np.arange(256, dtype=np.uint8)
    exponent, mantissa = (code >> 4 & 7).astype(int), (code & 15).astype(int)
    magnitude = ((mantissa << 3) + 132 << exponent) - 132
    return np.asarray(np.where(code & 128, -magnitude, magnitude), dtype=np.float32)


def _decode_alaw() -> NDArray[np.float32]:
    code = np.arange(256, dtype=np.uint8) ^ 0x55
    exponent, mantissa = (code >> 4 & 7).astype(int), (code & 15).astype(int)
    magnitude = np.where(exponent == 0, (mantissa << 4) + 8, (mantissa << 4) + 264 << np.maximum(exponent - 1, 0))
    return np.asarray(np.where(code & 128, magnitude, -magnitude), dtype=np.float32)


@lru_cache(maxsize=2)
def decode_table(codec: str) -> NDArray[np.float32]:
    """256 linear samples (16-bit scale) for PCMU or PCMA codes (ITU-T G.711)."""
    return _decode_ulaw() if codec == "PCMU" else _decode_alaw()


@lru_cache(maxsize=2)
def _encoder(codec: str) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    table = decode_table(codec)
    order = np.argsort(table, kind="stable").astype(np.uint8)
    levels = table[order]
    return np.asarray((levels[1:] + levels[:-1]) / 2, dtype=np.float32), order


def encode(samples: NDArray[np.floating], codec: str) -> bytes:
    """Linear samples (16-bit scale) as G.711 codes, nearest level."""
    middles, order = _encoder(codec)
    return order[np.searchsorted(middles, samples)].tobytes()


@lru_cache(maxsize=8192)
def tone_frame(pair: Pair, codec: str) -> bytes:
    """20 ms of a party's tones; periodic, so the same frame is sent over and over."""
    t = np.arange(FRAME) / FRAME
    wave = AMPLITUDE * (np.sin(2 * np.pi * pair[0] * t) + np.sin(2 * np.pi * pair[1] * t))
    return encode(wave, codec)


@lru_cache(maxsize=2)
def silent_frame(codec: str) -> bytes:
    """20 ms of digital silence."""
    return encode(np.zeros(FRAME), codec)


@lru_cache(maxsize=64)
def speech_frames(seconds: float, codec: str, seed: int = 7) -> tuple[bytes, ...]:
    """Audio that an answering machine detector takes for talk: voiced syllables of 120 to 300 ms, short
    pauses.
    """
    rng = np.random.default_rng(seed)
    total = max(1, round(seconds * 50)) * FRAME
    wave = np.zeros(total)
    at = 0
    while at < total:
        length = min(int(rng.integers(960, 2400)), total - at)
        t = np.arange(length) / 8000
        pitch = rng.uniform(110, 170) * (1 + 0.05 * np.sin(2 * np.pi * 3 * t))
        phase = 2 * np.pi * np.cumsum(pitch) / 8000
        voiced = np.sum([np.sin(k * phase) / k for k in range(1, 16)], axis=0)
        wave[at : at + length] = 5000 * np.abs(np.sin(np.pi * t / t[-1])) ** 0.5 * voiced if length > 1 else 0
        at += length + int(rng.integers(240, 560))
    wave += rng.normal(0, 20, total)
    return tuple(encode(wave[n : n + FRAME], codec) for n in range(0, total, FRAME))


@lru_cache(maxsize=8)
def beep_frames(seconds: float, codec: str, hertz: float = 1000.0) -> tuple[bytes, ...]:
    """The beep at the end of a machine's greeting."""
    t = np.arange(max(1, round(seconds * 50)) * FRAME) / 8000
    data = encode(8000 * np.sin(2 * np.pi * hertz * t), codec)
    return tuple(data[n : n + FRAME] for n in range(0, len(data), FRAME))


@lru_cache(maxsize=2)
def ringback_frame(codec: str) -> bytes:
    """20 ms of 400 + 450 Hz."""
    t = np.arange(FRAME) / FRAME
    return encode(3000 * (np.sin(2 * np.pi * 8 * t) + np.sin(2 * np.pi * 9 * t)), codec)


@dataclass(frozen=True, slots=True)
class Sound:
    """What one frame holds: `bins` as strong as a party's tones, and whether there is anything else."""

    bins: frozenset[int] = frozenset()
    other: bool = False
    ringback: bool = False

    @property
    def silent(self) -> bool:
        """Nothing but (near) silence."""
        return not (self.bins or self.other or self.ringback)


SILENCE = Sound()


def classify(payloads: list[bytes], codec: str) -> list[Sound]:
    """What each frame (160 G.711 codes) holds; one FFT for all of them."""
    codes = np.frombuffer(b"".join(payloads), dtype=np.uint8).reshape(-1, FRAME)
    samples = decode_table(codec)[codes]
    magnitude = np.abs(np.fft.rfft(samples, axis=1))
    magnitude[:, 0] = 0.0
    power = magnitude**2
    strong = (magnitude > 0.6 * EXPECTED) & (magnitude < 2.2 * EXPECTED)
    strong[:, : PHONE_BINS.start] = False
    strong[:, CUSTOMER_BINS.stop :] = False
    rest = np.where(strong, 0.0, power).sum(axis=1)
    low = np.where(strong, 0.0, power)[:, RINGBACK_BINS[0] : RINGBACK_BINS[-1] + 1].sum(axis=1)
    silent = np.sqrt((samples**2).mean(axis=1)) < SILENT_RMS
    floor = np.where(strong.any(axis=1), 0.08 * EXPECTED**2, (SILENT_RMS * FRAME) ** 2 / 4)
    found = []
    for n in range(len(payloads)):
        if silent[n]:
            found.append(SILENCE)
            continue
        other = bool(rest[n] > floor[n])
        ringback = other and bool(low[n] > 0.75 * rest[n])
        bins = frozenset(np.flatnonzero(strong[n]).tolist())
        found.append(Sound(bins, other and not ringback, ringback))
    return found


def _ordered_pairs(bins: Iterable[int]) -> list[Pair]:
    """All pairs of `bins`: rounds of pairs that share no tone and cannot be mistaken for each other, then the
    rest.
    """
    waiting = sorted(combinations(bins, 2), key=lambda pair: (pair[1] - pair[0]) % 7)
    near: dict[int, set[int]] = {tone: set() for pair in waiting for tone in pair}
    ordered: list[Pair] = []
    while True:
        used: set[int] = set()
        for a, b in list(waiting):
            cycle = any(near[x] & near[a] - {b} for x in near[b] - {a})
            if cycle or a in used or b in used:
                continue
            used |= {a, b}
            near[a].add(b)
            near[b].add(a)
            waiting.remove((a, b))
            ordered.append((a, b))
        if not used:
            return ordered + waiting


class Pairs:
    """Who sends which pair now. A pair given back is the last to be handed out again."""

    def __init__(self) -> None:
        mixed = [(a, b) for a in PHONE_BINS for b in CUSTOMER_BINS]
        self._free = {
            "phone": deque(_ordered_pairs(PHONE_BINS)),
            "customer": deque(_ordered_pairs(CUSTOMER_BINS)),
            "overflow": deque(mixed),
        }
        self._owner: dict[Pair, tuple[str, str]] = {}
        self._leaving: deque[tuple[float, Pair]] = deque()
        self._resolved: dict[tuple[frozenset[int], frozenset[str]], tuple[frozenset[str], bool]] = {}

    def take(self, side: str, party: str) -> Pair:
        """A pair for `party` (`side`: phone, customer) until `release`; RuntimeError when all are taken."""
        while self._leaving and self._leaving[0][0] < time.monotonic() - 1.0:
            self._forget(self._leaving.popleft()[1])
        kind = side if self._free[side] else "overflow"
        if not self._free[kind]:
            raise RuntimeError(f"no pair of tones is left: {len(self._owner)} parties are talking")
        pair = self._free[kind].popleft()
        self._owner[pair] = party, kind
        self._resolved.clear()
        return pair

    def release(self, pair: Pair) -> None:
        """The party stopped sending; what is still under way is known as its own for one more second."""
        self._leaving.append((time.monotonic(), pair))

    def _forget(self, pair: Pair) -> None:
        _, kind = self._owner.pop(pair)
        self._free[kind].append(pair)
        self._resolved.clear()

    def who(self, bins: frozenset[int], before: frozenset[str]) -> tuple[frozenset[str], bool]:
        """The parties whose tones make up `bins`, and whether something was left over.

        When two explanations are possible the one with more of `before` (heard last) wins.
        """
        key = bins, before
        known = self._resolved.get(key)
        if known is None:
            known = self._resolved[key] = self._search(bins, before)
        return known

    def _search(self, bins: frozenset[int], before: frozenset[str]) -> tuple[frozenset[str], bool]:
        there = [pair for pair in combinations(sorted(bins), 2) if pair in self._owner]
        if len(there) > 12:  # broadband sound over many parties' tones: only those heard already can be told
            there = [pair for pair in there if self._owner[pair][0] in before][:12]
        best: tuple[int, int, tuple[Pair, ...]] = (0, 0, ())
        for count in range(1, min(len(there), 4) + 1):
            for chosen in combinations(there, count):
                covered = len({tone for pair in chosen for tone in pair})
                known = sum(self._owner[pair][0] in before for pair in chosen)
                if (covered, -count, known) > (best[0], -len(best[2]), best[1]):
                    best = covered, known, chosen
        parties = frozenset(self._owner[pair][0] for pair in best[2])
        return parties, best[0] < len(bins)
