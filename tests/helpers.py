"""Where the checkout is, a small shop's orders, and a client whose data mean harm."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


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


HOSTILE = [
    "<script>document.title='run'</script>",
    "=cmd|'/c calc'!A1",
    "{{ 7*7 }}",
    "$\\frac{1}{",
    "../../x",
    "a\u202eb",
    "two\nlines 'and' quotes",
    "😀 <img src=x onerror=alert(1)>",
    "x" * 2_000,
]


def hostile_client(folder: Path, customers: int = 300) -> Path:
    """A shop whose name, ids, channels, comments and file names are attacks."""
    import csv

    import yaml

    folder.mkdir(parents=True)
    orders, answers = folder / "orders <script>.csv", folder / "answers {{x}}.csv"
    with orders.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(["customer_id", "date", "amount", "channel"])
        for line in small_orders(customers=customers).splitlines()[1:]:
            who, day, amount = line.split(",")
            bad = HOSTILE[int(who[1:]) % len(HOSTILE)]
            out.writerow([bad + who, day, amount, bad[:200]])
    with answers.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(
            ["customer_id", "date", "wave", "metric", "score", "scale_min", "scale_max", "comment", "attribute"]
        )
        for k in range(200):
            bad = HOSTILE[k % len(HOSTILE)]
            out.writerow([f"{bad}c{k:04d}", "2024-06-15", bad[:50], "csat", 1 + k % 5, 1, 5, bad, ""])
    settings = {
        "name": "<script>document.title='run'</script> {x} {{y}} =cmd",
        "currency": "EUR",
        "transactions": {"source": orders.name, "columns": {"channel": "channel"}},
        "surveys": {"source": answers.name},
        "economics": {"margin": 0.4},
    }
    (folder / "client.yaml").write_text(yaml.safe_dump(settings, allow_unicode=True), encoding="utf-8")
    return folder
