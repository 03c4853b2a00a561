"""Does the range of the total hold on real logs whose future is known, and how wide is it?

    python benchmarks/forecasts.py FOLDER        writes benchmarks/forecasts.csv

FOLDER holds one parquet file a log (customer_id, date, amount), as public_logs.py writes them. Each log is cut on five days;
what was known then is forecast 91, 182 and 364 days ahead, as far as the log reaches, beside the range of the plain model, which
holds chance and the doubt about parameters alone. Days whose money is not above 0 are no purchases; of logs of more than 20,000
customers one in so many is taken.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from beside import stamped

import clvnb as cv
from clvnb.core.results import Estimate
from clvnb.models.gamma_gamma import fit_spend
from clvnb.value.forecast import Forecast, forecast_purchases
from clvnb.value.spread import NOT_RELIABLE, mean_error
from clvnb.value.worth import at_todays_prices

CUTS, HORIZONS, CUSTOMERS = (0.45, 0.55, 0.65, 0.75, 0.85), (91, 182, 364), 20_000


def days_of(path: Path) -> pd.DataFrame:
    """One row per customer and day, of some customers where they are many."""
    raw = pd.read_parquet(path)
    raw = raw.assign(date=pd.to_datetime(raw["date"]).dt.normalize(), customer_id=raw["customer_id"].astype(str))
    log = raw.groupby(["customer_id", "date"], as_index=False)["amount"].sum()
    log = log[log["amount"] > 0]
    names = np.sort(log["customer_id"].unique())
    return log[log["customer_id"].isin(names[:: max(1, len(names) // CUSTOMERS)])]


def rows_of(name: str, log: pd.DataFrame) -> list[dict[str, object]]:
    first, last, found = log["date"].min(), log["date"].max(), []
    for cut in CUTS:
        day = (first + (last - first) * cut).floor("D")
        ahead = [h for h in HORIZONS if day + timedelta(days=h) <= last]
        if (day - first).days < 180 or not ahead:
            continue
        known = log[log["date"] <= day]
        summary = cv.summarize(known, as_of=day.date())
        try:
            made = forecast_purchases(known, horizon=max(ahead), as_of=day.date(), summary=summary, also=ahead)
            plain = cv.MBGNBD().fit(summary)
        except cv.FitError as error:
            print(f"{name}, {day:%Y-%m-%d}: {error}", flush=True)
            continue
        paced = made.pace(plain, summary)
        for h in ahead:
            came = log[(log["date"] > day) & (log["date"] <= day + timedelta(days=h))]
            actual = float(came["customer_id"].isin(known["customer_id"]).sum())
            bare = plain.purchase_interval(summary, h, total=True)
            wide = made.spreads[float(h)].widen(paced.purchase_interval(summary, h, total=True), money=False)
            scale = made.spreads[float(h)].model
            money = revenue_of(made, paced, summary, h) if log["amount"].nunique() > 50 else None
            earned = float(came.loc[came["customer_id"].isin(known["customer_id"]), "amount"].sum())
            found.append({
                "log": name, "cut": day.date(), "horizon": h, "customers": len(summary), "actual": actual, "forecast": wide.value,
                "low": wide.low, "high": wide.high, "inside": wide.low <= actual <= wide.high, "ratio": wide.high / max(wide.low, 0.5),
                "given": scale <= NOT_RELIABLE, "stated_error": mean_error(scale), "error": wide.value / max(actual, 1.0) - 1,
                "plain": bare.value, "plain_error": bare.value / max(actual, 1.0) - 1, "plain_inside": bare.low <= actual <= bare.high,
                "plain_ratio": bare.high / max(bare.low, 0.5),
                **({} if money is None else {
                    "revenue": earned, "revenue_forecast": money.value, "revenue_low": money.low, "revenue_high": money.high,
                    "revenue_inside": money.low <= earned <= money.high,
                }),
            })  # fmt: skip
    return found


def revenue_of(made: Forecast, paced: cv.MBGNBD, summary: pd.DataFrame, h: int) -> Estimate:
    """What a report would say of today's customers' revenue in the next days, with its range."""
    priced = at_todays_prices(summary, made.prices)
    terms = cv.Economics(horizon=f"{h} days", discount_rate=0.0)
    return made.spreads[float(h)].widen(cv.clv_total(priced, paced, fit_spend(priced), terms))


def left_out(given: pd.DataFrame) -> tuple[float, float]:
    """How often ranges hold, and how wide they are, whose width was chosen on the other logs alone."""
    low, high, came = (np.log(given[k] + 0.5) for k in ("low", "high", "actual"))
    half, needed = (high - low) / 2, (came - (high + low) / 2).abs() / ((high - low) / 2)
    factor = pd.Series({log: needed[given["log"] != log].quantile(0.9) for log in given["log"].unique()})
    own = given["log"].map(factor)
    return float((needed <= own).mean()), float(np.exp(2 * own * half).median())


def main() -> None:
    rows = []
    for path in sorted(Path(sys.argv[1]).glob("*.parquet")):
        rows += rows_of(path.stem, days_of(path))
        print(path.stem, len(rows), flush=True)
    table = pd.DataFrame(rows)
    stamped(table.round(4)).to_csv(Path(__file__).with_name("forecasts.csv"), index=False)
    given = table[table["given"]]
    bands = pd.qcut(given["stated_error"], 5)
    print(given.groupby("log").agg(cases=("inside", "size"), inside=("inside", "mean"), ratio=("ratio", "median"),
                                   error=("error", lambda e: e.abs().mean())).round(3).to_string())  # fmt: skip
    print(
        f"{len(table)} forecasts of {table['log'].nunique()} logs, {1 - len(given) / len(table):.0%} refused as not reliable"
    )
    print(f"range held {given['inside'].mean():.1%}, high over low {given['ratio'].median():.2f} (median); "
          f"plain range {table['plain_inside'].mean():.1%}, {table['plain_ratio'].median():.2f}")  # fmt: skip
    print(f"error, mean and median {given['error'].abs().mean():.3f} {given['error'].abs().median():.3f}; "
          f"plain {given['plain_error'].abs().mean():.3f} {given['plain_error'].abs().median():.3f}")  # fmt: skip
    held, ratio = left_out(given)
    print(
        f"with widths that held 90 % of the other logs' forecasts: held {held:.1%} of each log left out, high over low {ratio:.2f}"
    )
    paid = given[given["revenue_inside"].notna()]
    held, high, low = paid["revenue_inside"].astype(bool).mean(), paid["revenue_high"], paid["revenue_low"]
    off = (paid["revenue_forecast"] / paid["revenue"].clip(lower=1.0) - 1).abs()
    print(f"revenue, {len(paid)} forecasts of {paid['log'].nunique()} logs: range held {held:.1%}, high over low {(high / low).median():.2f}; "
          f"error, mean and median {off.mean():.3f} {off.median():.3f}")  # fmt: skip
    print(
        given.assign(found=given["error"].abs())
        .groupby(bands, observed=True)[["stated_error", "found"]]
        .mean()
        .round(3)
    )


if __name__ == "__main__":
    main()
