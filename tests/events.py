"""Customers' purchases one event after another, from the papers' stories: an independent path to what models compute.

In: a model's name and parameters. Out: what each customer did until T, and in the span after it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd


def lives(name: str, of: Mapping[str, float], n: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Rates of purchases (of their stages), days of life, and chances to leave after a purchase."""
    rate = rng.gamma(of["r"], size=n) / of["alpha"]
    if name in ("BGNBD", "MBGNBD", "BGCNBDk", "MBGCNBDk"):
        return rate, np.full(n, np.inf), rng.beta(of["a"], of["b"], n)
    risk = np.maximum(rng.gamma(of["s"], size=n) / of["beta"], 1e-300)
    life = rng.exponential(size=n) / risk
    if name == "GGompertzNBD":  # hazard risk * exp(b u): u = ln(1 + b * exponential / risk) / b
        life = np.log1p(of["b"] * life) / of["b"]
    return rate, life, np.zeros(n)


def follow(
    name: str, of: Mapping[str, float], T: np.ndarray, ahead: float, rng: np.random.Generator, k: int = 1
) -> pd.DataFrame:
    """Follow customers of ages ``T``: ``frequency, recency, T`` in exact time, then ``bought`` and ``alive`` after it."""
    n = len(T)
    rate, end, leave = lives(name, of, n, rng)
    if name.startswith("M"):
        end = np.where(rng.random(n) < leave, 0.0, end)
    table = pd.DataFrame(
        {"customer_id": np.arange(n).astype(str), "frequency": 0.0, "recency": 0.0, "T": T, "bought": 0.0}
    )
    frequency, recency, bought = (table[c].to_numpy().copy() for c in ("frequency", "recency", "bought"))
    now, who = np.zeros(n), np.arange(n)
    while len(who):
        now[who] += rng.gamma(k, size=len(who)) / np.maximum(rate[who], 1e-300)
        who = who[now[who] <= np.minimum(end[who], T[who] + ahead)]
        early = who[now[who] <= T[who]]
        frequency[early] += 1
        recency[early] = now[early]
        bought[who[now[who] > T[who]]] += 1
        gone = who[rng.random(len(who)) < leave[who]]
        end[gone] = now[gone]
    return table.assign(frequency=frequency, recency=recency, bought=bought, alive=end > T + ahead)
