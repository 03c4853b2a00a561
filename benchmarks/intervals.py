"""Do the intervals tell the truth? Simulated logs whose future is known, valued as a client's would be.

    python benchmarks/intervals.py [LOGS] [MODEL ...]     writes benchmarks/intervals.csv

For every model: logs are drawn from known parameters, cut at a day, fitted on what came before and compared with what
came after. ``total`` and ``clv`` are the shares of logs whose 90 % interval held the purchases, and the discounted
contribution, of all customers together; ``customers`` the share of customers inside their own 90 % interval (an outcome
on an edge counts by the probability that lies inside, so that the many zeros count fairly); ``error_ratio`` the largest
disagreement between mean standard error and spread of the estimates, over the parameters, on purchases that are not
merged by day, over three times as many logs (merging moves the rate of purchases, and so says nothing about the fit).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import clvnb as cv
from clvnb.core.errors import FitError
from clvnb.models.base import Model
from clvnb.value.predictions import coverage

CUSTOMERS, KNOWN, HELD_OUT = 3000, 364, 182
END = pd.Timestamp("2023-01-01") + pd.Timedelta(days=KNOWN - 1)
SPEND = {"p": 5.0, "q": 4.0, "v": 30.0}
ECONOMICS = cv.Economics(margin=0.4, discount_rate=0.1, horizon=f"{HELD_OUT} days", cost_to_serve=2.0)


@dataclass
class Log:
    """What one simulated log showed."""

    total: bool
    clv: bool
    customers: float
    estimates: np.ndarray
    errors: np.ndarray


def shop(model: Any, seed: int) -> Log:
    """One log of a purchase model in continuous time."""
    log, end = _log(model, seed), END
    known, later = cv.split_log(log, end)
    summary = cv.summarize(known, as_of=end)
    fitted, money = _fresh(model).fit(summary), cv.GammaGamma().fit(summary)
    held = later.assign(day=later["date"].dt.normalize()).groupby(["customer_id", "day"])["amount"].sum().reset_index()
    actual = held.groupby("customer_id").size().reindex(summary["customer_id"]).fillna(0.0)
    interval = fitted.purchase_interval(summary, HELD_OUT, total=True)
    worth = cv.clv_total(summary, fitted, money, ECONOMICS)
    when = (held["day"] - end).dt.days - 0.5
    brought = ((ECONOMICS.margin_rate * held["amount"] - ECONOMICS.cost_to_serve) * 1.1 ** (-when / 365.25)).sum()
    estimates, errors = _unmerged(model, log, end)
    return Log(
        interval.low <= actual.sum() <= interval.high,
        worth.low <= brought <= worth.high,
        coverage(fitted, summary, actual, HELD_OUT),
        estimates,
        errors,
    )


def _log(model: Any, seed: int) -> pd.DataFrame:
    spend = cv.GammaGamma.with_params(**SPEND)
    length = f"{KNOWN + HELD_OUT} days"
    return model.simulate(CUSTOMERS, joined="180 days", length=length, spend=spend, seed=seed, start="2023-01-01")


def _fresh(model: Any) -> Any:
    return type(model)(model.k) if hasattr(model, "k") else type(model)()


def _unmerged(model: Any, log: pd.DataFrame, end: pd.Timestamp) -> tuple[np.ndarray, np.ndarray]:
    """Log-parameters and their standard errors, from purchases at their exact moments."""
    known = log[log["date"] < end + pd.Timedelta(days=1)]
    days, day = known.groupby("customer_id")["date"].agg(["min", "max", "size"]), pd.Timedelta(days=1)

    def quarters(gap: pd.Series) -> pd.Series:
        return np.ceil(gap / day * 4) / 4  # fewer distinct moments, and still no two purchases in one

    exact = pd.DataFrame({"frequency": days["size"] - 1, "recency": quarters(days["max"] - days["min"]),
                          "T": quarters(end + day - days["min"])})  # fmt: skip
    gaps = known.groupby("customer_id")["date"].diff().dropna() / day
    exact["log_gaps"] = np.log(gaps.clip(lower=1e-5)).groupby(known["customer_id"]).sum()
    exact = exact.fillna({"log_gaps": 0.0}).rename_axis("customer_id").reset_index()
    fitted = _fresh(model).fit(exact)
    return _logs(fitted)


def _logs(fitted: Model) -> tuple[np.ndarray, np.ndarray]:
    return np.log(fitted.params_.to_numpy()), (fitted.standard_errors_ / fitted.params_).to_numpy()


def opportunities(model: Any, seed: int) -> Log:
    """One log of the model of opportunities: six known, four held out."""
    rng = np.random.default_rng(seed)
    full = model.simulate(CUSTOMERS, 6, seed=seed)
    fitted = cv.BGBB().fit(full)
    truth = type(model).with_params(**model.params_)
    rows = full[["frequency", "recency", "T"]].astype(float)
    actual = truth.simulate_purchases(rows, 4.0, size=1, seed=int(rng.integers(1 << 30)))[0]
    interval = fitted.purchase_interval(full, 4, total=True)
    inside = coverage(fitted, full, pd.Series(actual), 4)
    held = bool(interval.low <= actual.sum() <= interval.high)
    return Log(held, held, inside, *_logs(fitted))


def contracts(model: Any, seed: int) -> Log:
    """One set of monthly contracts begun over a year, half a year held out."""
    rng = np.random.default_rng(seed)
    left = model._leaves_at(CUSTOMERS, rng)
    known = rng.integers(4, 16, CUSTOMERS)
    renewals = np.minimum(left - 1, known).astype(int)
    table = pd.DataFrame(
        {"customer_id": pd.Series(np.arange(CUSTOMERS)).astype(str).str.zfill(5), "plan": "monthly", "renewals": renewals,
         "opportunities": known, "active": left > known, "price": 20.0, "period": 1, "days_to_next": np.where(left > known, 15.0, np.nan)}
    )  # fmt: skip
    fitted = type(model)().fit(table)
    economics = cv.Economics(margin=0.5, discount_rate=0.1, horizon="6 months")
    rows, total = cv.subscription_table(table, {"monthly": fitted}, economics)
    paid = np.clip(np.minimum(left - 1, known + 6) - known, 0, 6) * table["active"].to_numpy()
    when = 15.0 + 365.25 / 12 * np.arange(6)
    worth = np.concatenate([[0.0], np.cumsum(1.1 ** (-when / 365.25))]) * 20.0 * 0.5
    brought = worth[paid.astype(int)].sum()
    ends = rows.set_index("customer_id")[["expected_purchases_low", "expected_purchases_high"]]
    running = table["active"].to_numpy()
    draws = fitted.residual_survival(renewals[running], 6)
    inside = _inside(draws, paid[running])
    assert len(ends) == len(table)
    held = bool(total.low <= brought <= total.high)
    return Log(held, held, inside, *_logs(fitted))


def _inside(reach: np.ndarray, paid: np.ndarray) -> float:
    """The share of outcomes between the tails, by the part of each outcome's probability that lies there."""
    cumulative = 1 - np.hstack([np.ones((len(reach), 1)), reach, np.zeros((len(reach), 1))])
    at = np.arange(len(paid))
    below, at_most = cumulative[at, paid.astype(int)], cumulative[at, paid.astype(int) + 1]
    part = np.clip(np.minimum(at_most, 0.95) - np.maximum(below, 0.05), 0, None) / np.maximum(at_most - below, 1e-12)
    return float(part.mean())


STUDIES: dict[str, tuple[Any, Any]] = {
    "BG/NBD": (shop, cv.BGNBD.with_params(r=0.6, alpha=30.0, a=0.8, b=2.5)),
    "MBG/NBD": (shop, cv.MBGNBD.with_params(r=0.8, alpha=35.0, a=0.8, b=2.5)),
    "Pareto/NBD": (shop, cv.ParetoNBD.with_params(r=0.8, alpha=40.0, s=1.0, beta=150.0)),
    "GGompertz/NBD": (shop, cv.GGompertzNBD.with_params(r=0.8, alpha=30.0, s=1.5, beta=2000.0, b=0.02)),
    "BG/CNBD-k": (shop, cv.BGCNBDk.with_params(k=2, r=0.8, alpha=20.0, a=0.8, b=2.5)),
    "MBG/CNBD-k": (shop, cv.MBGCNBDk.with_params(k=2, r=1.0, alpha=20.0, a=0.8, b=2.5)),
    "BG/BB": (opportunities, cv.BGBB.with_params(alpha=1.2, beta=0.8, gamma=0.8, delta=3.0)),
    "sBG": (contracts, cv.ShiftedBetaGeometric.with_params(alpha=0.9, beta=6.0)),
    "BdW": (contracts, cv.BetaDiscreteWeibull.with_params(alpha=0.8, beta=6.0, c=1.3)),
}


def study(name: str, logs: int = 200) -> dict[str, Any]:
    """Run one model's study.

    Returns
    -------
    dict
        ``model, logs, failed, total, clv, customers, error_ratio, worst_parameter``.
    """
    one, model = STUDIES[name]
    seen: list[Log] = []
    failed = 0
    for seed in range(1, logs + 1):
        try:
            seen.append(one(model, seed))
        except FitError:
            failed += 1
    estimates, errors = [s.estimates for s in seen], [s.errors for s in seen]
    if (
        one is shop
    ):  # a standard deviation from 200 logs is itself 5 % uncertain, and three times as many fits are cheap
        for seed in range(logs + 1, 3 * logs + 1):
            again = _unmerged(model, _log(model, seed), END)
            estimates.append(again[0])
            errors.append(again[1])
    spread = np.std(estimates, axis=0, ddof=1)
    error = np.sqrt(np.mean(np.square(errors), axis=0))
    ratio = error / spread
    worst = int(np.argmax(np.abs(np.log(ratio))))
    return {
        "model": name,
        "logs": logs,
        "failed": failed,
        "total": float(np.mean([s.total for s in seen])),
        "clv": float(np.mean([s.clv for s in seen])),
        "customers": float(np.mean([s.customers for s in seen])),
        "error_ratio": float(ratio[worst]),
        "worst_parameter": model.parameters[worst],
        "error_ratios": " ".join(f"{k} {v:.2f}" for k, v in zip(model.parameters, ratio, strict=True)),
    }


def main() -> None:
    logs = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    target = Path(__file__).with_name("intervals.csv")
    for name in sys.argv[2:] or STUDIES:
        row = study(name, logs)
        print(row, flush=True)
        known = pd.read_csv(target).query("model != @name") if target.exists() else pd.DataFrame()
        pd.concat([known, pd.DataFrame([row])]).round(4).to_csv(target, index=False)


if __name__ == "__main__":
    main()
