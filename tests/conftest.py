"""What several tests use: the CDNOW sample, golden numbers, and a small client folder."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import yaml

import clvnb as cv

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def golden() -> dict:
    return yaml.safe_load((ROOT / "tests/golden/purchases.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def sample_log() -> pd.DataFrame:
    raw = pd.read_csv(ROOT / "data/cdnow/sample.csv", dtype=str)
    return cv.read_transactions(
        raw,
        columns={"customer_id": "customer_id", "date": "date", "amount": "dollar_value"},
        date_format="%Y%m%d",
    )


@pytest.fixture(scope="session")
def sample_summary(sample_log: pd.DataFrame) -> pd.DataFrame:
    calibration, _ = cv.split_log(sample_log, "1997-09-30")
    return cv.summarize(calibration, as_of="1997-09-30")


@pytest.fixture
def make_client(tmp_path: Path):
    """Write a client folder from CSV text and further settings."""

    def make(csv: str | None = None, name: str = "acme", **settings: object) -> Path:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        if csv is None:
            csv = small_orders()
        (folder / "orders.csv").write_text(csv, encoding="utf-8")
        body: dict = {"name": name, "currency": "EUR", "transactions": {"source": "orders.csv"}} | settings
        (folder / "client.yaml").write_text(yaml.safe_dump(body), encoding="utf-8")
        return folder

    return make


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
