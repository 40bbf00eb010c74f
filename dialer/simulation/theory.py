"""Queueing formulas with which the simulator is checked: Erlang B, C and A."""

from __future__ import annotations


def erlang_b_of(servers: int, load: float) -> float:
    """P(all servers busy) in M/G/c/c by Erlang's recursion; ``load`` in Erlang."""
    blocking = 1.0
    for n in range(1, servers + 1):
        blocking = load * blocking / (n + load * blocking)
    return blocking


def erlang_c(servers: int, load: float) -> float:
    """P(wait > 0) in M/M/c; ``load`` in Erlang, below ``servers``."""
    blocking = erlang_b_of(servers, load)
    return blocking / (1.0 - load / servers * (1.0 - blocking))


def erlang_a(servers: int, arrival: float, service: float, patience: float) -> tuple[float, float]:
    """(P(wait > 0), P(abandon)) in M/M/c+M, by the balance equations. Rates per second."""
    weights, n = [1.0], 0
    while n < servers or weights[-1] > 1e-14 * max(weights):
        n += 1
        leave = min(n, servers) * service + max(n - servers, 0) * patience
        weights.append(weights[-1] * arrival / leave)
    total = sum(weights)
    waits = sum(weights[servers:]) / total
    queue = sum((n - servers) * weight for n, weight in enumerate(weights) if n > servers) / total
    return waits, patience * queue / arrival
