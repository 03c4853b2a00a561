"""What several tests use: the CDNOW sample, golden numbers, a small client folder, a browser."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import yaml

import clvnb as cv
from helpers import CHROMIUM, ROOT, small_orders


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


@pytest.fixture(scope="module")
def warm():
    """Keep the process that kernels are forked from through a module, whose every run would import everything anew."""
    from clvnb.report import cards, kernel, runner

    with pytest.MonkeyPatch.context() as patch:
        for module in (runner, cards):
            patch.setattr(module, "end_kernels", lambda: None)
        yield
    kernel.end_kernels()


@pytest.fixture
def guide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let reports be made of one short chapter."""
    from clvnb.report import runner
    from guide import short_guide

    path = short_guide(tmp_path / "guide")
    monkeypatch.setattr(runner, "_notebooks", lambda: [path])
    return path


@pytest.fixture(scope="module")
def browser():
    """Chromium without a window; the tests that take it are skipped where there is none."""
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking",
             "--disable-component-update", "--disable-sync", "--no-first-run"]  # fmt: skip
    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield chromium
        chromium.close()
