"""Where the checkout is, and a small shop's orders."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parent.parent


def small_orders(customers: int = 400, seed: int = 3) -> str:
    """A plain CSV of a small, well-behaved shop."""
    import numpy as np

    rng = np.random.default_rng(seed)
    lines = ["customer_id,date,amount"]
    start = pd.Timestamp("2023-01-01")
    for k in range(customers):
        day, rate, chance = float(rng.integers(0, 300)), rng.gamma(1.2, 1 / 60), rng.beta(1.0, 3.0)
        while day < 600:
            lines.append(f"c{k:04d},{start + pd.Timedelta(days=int(day)):%Y-%m-%d},{rng.gamma(4, 10):.2f}")
            if rng.random() < chance:
                break
            day += 1 + rng.exponential(1 / rate)
    return "\n".join(lines) + "\n"
