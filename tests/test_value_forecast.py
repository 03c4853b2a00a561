"""The forecast of a shop's total: what it finds, what its range includes, and that customers share it out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import clvnb as cv
from clvnb.core.results import Estimate
from clvnb.value.calendars import purchases_by_day, silences
from clvnb.value.forecast import forecast_purchases, price_level
from clvnb.value.origins import Past
from clvnb.value.spread import Spread, mean_error, model_error, money_error, width
from clvnb.value.trust import _reached

START, END = pd.Timestamp("2023-01-01"), "2024-12-30"
DAYS = 730


def shop(pace: np.ndarray, customers: int = 1500, seed: int = 0) -> tuple[pd.DataFrame, float]:
    """A shop followed purchase by purchase on a pace by day: its log of two years, and what its customers buy after it."""
    rng, hand, rows = np.random.default_rng(seed), np.r_[0.0, np.cumsum(pace)], []
    for customer in range(customers):
        day = rng.uniform(0, DAYS)
        rate, leaves = rng.gamma(0.8, 1 / 45), rng.beta(0.8, 2.6)
        at = np.interp(day, np.arange(len(hand)), hand)
        while day < len(pace):
            rows.append((customer, int(day)))
            if rng.random() < leaves:
                break
            at += rng.exponential(1 / rate)
            day = np.interp(at, hand, np.arange(len(hand))) if at < hand[-1] else np.inf
    found = pd.DataFrame(rows, columns=["customer", "day"]).drop_duplicates()
    known = found[found["day"] < DAYS]
    later = found[(found["day"] >= DAYS) & found["customer"].isin(known["customer"])]
    log = pd.DataFrame({"customer_id": known["customer"].astype(str), "date": START + pd.to_timedelta(known["day"], unit="D"),
                        "amount": 20.0 + known["customer"] % 7})  # fmt: skip
    return log.reset_index(drop=True), float(len(later))


def season(days: int, size: float = 0.4) -> np.ndarray:
    return 1 + size * np.sin(2 * np.pi * np.arange(days) / 365.25)


@pytest.fixture(scope="module")
def seasonal():
    log, came = shop(season(DAYS + 365))
    return log, came, forecast_purchases(log, horizon=365, as_of=END, also=[91, 182])


def test_a_smooth_season_is_found_and_forecast(seasonal):
    """A sine wave has no month that stands out from its neighbours."""
    _, came, found = seasonal
    swing, sure = found.season
    assert swing == pytest.approx(1.4 / 0.6 - 1, rel=0.35)
    assert sure > 3
    assert found.purchases == pytest.approx(came, rel=0.12)
    pace = found.year.set_index("day")["pace"]
    assert pace["2023-04-01"] > 1.2 > 0.8 > pace["2023-10-01"]


def test_nothing_is_found_where_nothing_is():
    log, came = shop(np.ones(DAYS + 365), seed=2)
    found = forecast_purchases(log, horizon=365, as_of=END)
    assert found.season[1] < 3
    assert found.trend[1] < 3
    assert found.closed == ()
    assert found.purchases == pytest.approx(came, rel=0.12)


def test_a_decline_is_found_and_carried_on():
    log, came = shop(0.75 ** (np.arange(DAYS + 365) / 365.25), customers=2500, seed=3)
    found = forecast_purchases(log, horizon=365, as_of=END)
    change, sure = found.trend
    assert -0.5 < change < -0.1
    assert sure > 2.5
    assert found.weights["trend and season"] > 0.6
    plain = cv.MBGNBD().fit(cv.summarize(log, as_of=END))
    assert abs(found.purchases / came - 1) < abs(
        plain.expected_purchases(cv.summarize(log, as_of=END), 365).sum() / came - 1
    )


def test_a_closure_is_found():
    pace = np.ones(DAYS)
    pace[400:450] = 0
    log, _ = shop(pace, seed=4)
    log = log[~log["date"].between(START + pd.Timedelta(days=400), START + pd.Timedelta(days=449))]
    [(first, last)] = forecast_purchases(log, horizon=182, as_of=END).closed
    assert abs((pd.Timestamp(first) - START).days - 400) <= 2
    assert abs((pd.Timestamp(last) - START).days - 449) <= 2


def test_a_time_with_a_few_purchases_is_no_closure():
    """Nobody of some customers bought, but others did: the days of everybody decide."""
    log, _ = shop(np.ones(DAYS), seed=4)
    inside = log["date"].between(START + pd.Timedelta(days=400), START + pd.Timedelta(days=449))
    few = log[inside].sort_values("date").iloc[::20]
    assert silences(purchases_by_day(pd.concat([log[~inside], few]))) == ()
    assert len(silences(purchases_by_day(log[~inside]))) == 1


def test_many_customers_are_looked_at_in_part():
    log, came = shop(season(DAYS + 365), customers=9000, seed=8)
    found = forecast_purchases(log, horizon=365, as_of=END)
    assert found.purchases == pytest.approx(came, rel=0.08)
    assert found.tests["expected"].max() < 0.9 * found.purchases


def test_a_month_of_a_small_shop_has_its_own_chance():
    log, _ = shop(np.ones(DAYS), customers=200, seed=9)
    months = forecast_purchases(log, horizon=365, as_of=END).table.dropna(subset=["mean"])
    month = months[months["what"] == "purchases"].iloc[0]
    assert month["high"] / month["mean"] > np.exp(1.6 / np.sqrt(month["mean"]))


def test_a_total_out_of_reach_is_said(seasonal):
    log, _, found = seasonal
    summary = cv.summarize(log, as_of=END)
    leaving = cv.ParetoNBD.with_params(r=0.5, alpha=300.0, s=900.0, beta=9000.0)
    paced = found.pace(leaving, summary)
    [(_, level, said, _)] = _reached(found, paced, summary)
    assert level == "use with care"
    assert "% of the forecast" in said
    assert _reached(found, found.pace(cv.MBGNBD().fit(summary), summary), summary) == []


def test_customers_share_out_the_forecast(seasonal):
    log, _, found = seasonal
    summary = cv.summarize(log, as_of=END)
    for kind in (cv.BGNBD, cv.MBGNBD, cv.ParetoNBD):
        paced = found.pace(kind().fit(summary), summary)
        for days in (91, 182, 365):
            total = float(np.interp(days, found.ahead, found.total))
            assert paced.expected_purchases(summary, days).sum() == pytest.approx(total, rel=0.01)


@pytest.fixture(scope="module")
def sales():
    """Four sales of five days a year, on which customers buy four times as often; the next year has six of them."""
    pace = np.ones(DAYS + 365)
    spans = []
    for first in (40, 130, 220, 310, 405, 495, 585, 675, 740, 800, 860, 920, 980, 1040):
        pace[first : first + 5] = 4.0
        spans.append(tuple(f"{START + pd.Timedelta(days=first + k):%Y-%m-%d}" for k in (0, 4)))
    log, came = shop(pace, customers=2500, seed=11)
    return log, came, spans


def test_planned_days_of_sale_are_part_of_the_forecast(sales):
    log, came, spans = sales
    found = forecast_purchases(log, horizon=365, as_of=END, calendar={"sale": spans})
    [row] = found.dated.to_dict("records")
    assert row["low"] < 4 < row["high"] * 1.1
    assert (row["days"], row["planned"]) == (40, 30)
    assert found.purchases == pytest.approx(came, rel=0.1)
    without = forecast_purchases(log, horizon=365, as_of=END, calendar={"sale": spans[:8]})
    assert without.purchases < 0.85 * found.purchases
    month = found.table.dropna(subset=["mean"]).query("what == 'purchases'").set_index("period")["mean"]
    assert (
        month.loc["2025-03-01"]
        > 1.2
        * without.table.dropna(subset=["mean"])
        .query("what == 'purchases'")
        .set_index("period")["mean"]
        .loc["2025-03-01"]
    )
    assert found.tests.query("origin > '2024-01-01'")["error"].abs().mean() < 0.1
    assert (
        found.expected_error < 0.6 * forecast_purchases(log, horizon=365, as_of=END).expected_error
    )  # sales explain the swings
    assert found.year.empty or (found.year["pace"] < 2).all()  # days of sale are no season


def test_a_planned_closure_brings_nothing(sales):
    log, _, spans = sales
    open_ = forecast_purchases(log, horizon=365, as_of=END, calendar={"sale": spans})
    shut = forecast_purchases(
        log, horizon=365, as_of=END, calendar={"sale": spans, "closed": [("2025-01-01", "2025-03-31")]}
    )
    assert np.interp(85, shut.ahead, shut.total) < 0.02 * shut.purchases
    assert 0.6 * open_.purchases < shut.purchases < 0.95 * open_.purchases
    with pytest.raises(cv.TableError, match="closed: 2024-05-0. is given as closed, and somebody bought"):
        forecast_purchases(log, horizon=365, as_of=END, calendar={"closed": [("2024-05-01", "2024-05-09")]})


def test_a_client_names_its_days(sales, tmp_path):
    log, _, spans = sales
    log.to_csv(tmp_path / "orders.csv", index=False)
    (tmp_path / "client.yaml").write_text(
        "name: Sales\ncurrency: EUR\ntransactions: {source: orders.csv, columns: {customer_id: customer_id, date: date, amount: amount}}\n"
        f"economics: {{horizon: 1 year}}\ncalendar:\n  sale: [{', '.join(f'{a} to {b}' for a, b in spans)}]\n  coming: [2026-05-01]\n",
        encoding="utf-8",
    )
    step = cv.value_step(cv.Client.load(tmp_path), as_of=END)
    assert "On days of sale (40 so far) customers buy" in step.coming.text
    assert "30 such days ahead are part of the forecast" in step.coming.text
    (tmp_path / "shut").mkdir()
    yaml = (tmp_path / "client.yaml").read_text().replace(
        "orders.csv", "../orders.csv"
    ) + "  closed: [2024-05-01 to 2024-05-09]\n"
    (tmp_path / "shut" / "client.yaml").write_text(yaml, encoding="utf-8")
    with pytest.raises(
        cv.ClientError, match=r"client.yaml: calendar: closed: 2024-05-01 to 2024-05-09: \d+ purchases were made on"
    ):
        cv.data.books.Books(cv.Client.load(tmp_path / "shut")).orders  # noqa: B018
    assert [s.name for s in step.outlook.series] == ["sale"]  # of a series without a day so far nothing is known
    for wrong, said in (
        ("sale: [November]", "write a day as"),
        ("sale: [2024-05-02 to 2024-05-01]", "from its first day to its last"),
    ):
        (tmp_path / "client.yaml").write_text(
            f"name: S\ncurrency: EUR\ntransactions: {{source: orders.csv}}\ncalendar: {{{wrong}}}\n", encoding="utf-8"
        )
        with pytest.raises(cv.ClientError, match=said):
            cv.Client.load(tmp_path)


def test_names_order_and_the_unit_of_money_do_not_matter(seasonal):
    log, _, found = seasonal
    other = log.sample(frac=1, random_state=5)
    other = other.assign(
        customer_id="x" + (7919 * other["customer_id"].astype(int) % 10_007).astype(str), amount=100 * other["amount"]
    )
    again = forecast_purchases(other, horizon=365, as_of=END, also=[91, 182])
    assert again.purchases == pytest.approx(found.purchases, rel=1e-9)
    assert again.expected_error == pytest.approx(found.expected_error, rel=1e-9)
    pd.testing.assert_frame_equal(again.tests, found.tests)


def test_months_add_up_to_the_total(seasonal):
    found = seasonal[2]
    months = found.table[(found.table["what"] == "purchases") & found.table["mean"].notna()]
    last = (pd.Timestamp(END) + pd.offsets.MonthEnd(len(months))).normalize()
    assert months["mean"].sum() == pytest.approx(
        np.interp((last - pd.Timestamp(END)).days, found.ahead, found.total), rel=0.05
    )
    came = found.table[found.table["what"].eq("purchases") & found.table["actual"].notna()]
    log = seasonal[0]
    repeats = log[log["date"] > log.groupby("customer_id")["date"].transform("min")]
    assert came["actual"].sum() == len(repeats[repeats["date"] < "2024-12-01"])


def test_tests_are_forecasts_of_their_day(seasonal):
    """A test sees nothing of what came later: the same log cut at an origin gives the same forecast."""
    log, _, found = seasonal
    one = found.tests[(found.tests["horizon"] == 91)].iloc[-1]
    known = log[log["date"] <= one["origin"]]
    then = forecast_purchases(known, horizon=91, as_of=one["origin"].date())
    assert one["expected"] == pytest.approx(then.purchases, rel=0.01)
    later = log[(log["date"] > one["origin"]) & (log["date"] <= one["origin"] + pd.Timedelta(days=91))]
    assert one["actual"] == later["customer_id"].isin(known["customer_id"]).sum()


def test_too_few_repeat_purchases_are_said():
    log = pd.DataFrame(
        {"customer_id": [str(k) for k in range(300)], "date": pd.date_range("2023-01-01", periods=300), "amount": 5.0}
    )
    more = log.head(5).assign(date=log["date"].head(5) + pd.Timedelta(days=30))
    with pytest.raises(cv.FitError, match="5 repeat purchases by .* too few"):
        forecast_purchases(pd.concat([log, more]), horizon=91)


def test_prices_of_now():
    log, _ = shop(np.ones(DAYS), seed=6)
    dearer = log.assign(amount=log["amount"] * np.where(log["date"] >= "2024-07-01", 1.2, 1.0))
    last = pd.Timestamp(END).date()
    assert price_level(log, cv.summarize(log, as_of=END), last) == pytest.approx(1.0, abs=0.02)
    assert 1.05 < price_level(dearer, cv.summarize(dearer, as_of=END), last) < 1.2


def test_first_customers_from_before_the_log_are_noticed():
    rng = np.random.default_rng(7)
    born = np.r_[rng.integers(0, 30, 300), rng.integers(30, 700, 300)]
    who, day = np.repeat(np.arange(600), 2), np.c_[born, born + 20].ravel()
    assert Past(START.date(), 729, who, day).from_before(729)
    even = rng.integers(0, 700, 600)
    assert not Past(START.date(), 729, who, np.c_[even, even + 20].ravel()).from_before(729)


# ------------------------------------------------------------------------------------------ its range


def test_the_scale_of_the_error():
    """1.67 (h/182)^.32 ((s + .02)/.15)^.73 (phi/P)^.40, drawn together above .15, faster beyond a year."""
    assert model_error(182, 0.05, 0.002) == pytest.approx(1.67 * (0.07 / 0.15) ** 0.73 * 0.002**0.4)
    assert model_error(364, 0.05, 0.002) == pytest.approx(2**0.32 * model_error(182, 0.05, 0.002))
    assert model_error(728, 0.05, 0.0005) == pytest.approx(2**0.7 * model_error(364, 0.05, 0.0005))
    assert model_error(182, 0.13, 1.0) == pytest.approx(0.15 * (1.67 / 0.15) ** 0.7)
    assert model_error(91, 0.02, 0.001, season=False) == pytest.approx(np.hypot(model_error(91, 0.02, 0.001), 0.1))
    assert width(0.5) < width(0.8) < width(0.9) < width(0.95)
    assert mean_error(0.1) == pytest.approx(np.expm1(0.082))
    assert money_error(0.8, 400.0) == pytest.approx(1.9 * 0.8 / 20)


@pytest.mark.parametrize("value", [1000.0, -1000.0])
def test_a_wider_range_keeps_its_sign_and_adds_in_quadrature(value):
    alone = Estimate(value, *sorted([value * 0.9, value * 1.1]), 0.9, 10, "alone")
    wide = Spread(182.0, 0.2).widen(alone)
    assert np.sign(wide.low) == np.sign(wide.high) == np.sign(value)
    far, near = max(abs(wide.low), abs(wide.high)), min(abs(wide.low), abs(wide.high))
    assert np.log(far / 1000) == pytest.approx(np.hypot(np.log(1.1), width(0.9) * 0.2))
    assert np.log(1000 / near) == pytest.approx(np.hypot(np.log(1 / 0.9), width(0.9) * 0.2))
    assert wide.method.startswith("alone, and the error of forecasts")


def test_a_range_across_zero_is_widened_on_both_sides():
    wide = Spread(182.0, 0.2).widen(Estimate(100.0, -50.0, 250.0, 0.9, 10, "alone"))
    assert wide.low < -50 < 250 < wide.high
    none = Spread(182.0, 0.0).widen(Estimate(100.0, -50.0, 250.0, 0.9, 10, "alone"))
    assert (none.low, none.high) == pytest.approx((-50, 250))


def test_the_trust_level_names_season_and_horizon(seasonal):
    log, _, found = seasonal
    summary = cv.summarize(log, as_of=END)
    trust = cv.trust_gate(
        summary, as_of=END, purchases=cv.MBGNBD().fit(summary), log=log, outlook=found
    ).table.set_index("check")
    assert trust.loc["season", "found"].startswith("A season is in the forecast")
    assert trust.loc["tested horizon", "level"] == "reliable"
    far = forecast_purchases(log, horizon="3 years", as_of=END)
    trust = cv.trust_gate(summary, as_of=END, purchases=cv.MBGNBD().fit(summary), log=log, outlook=far)
    assert trust.level == "use with care"
    assert "up to 364 days ahead" in trust.table.set_index("check").loc["tested horizon", "found"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["as modelled", "season", "christmas", "decline", "closure"])
def test_ranges_hold_what_comes(kind):
    """Twenty shops of each kind, three years ahead: the range holds, and the forecast is within a tenth on average."""
    days, errors, held = DAYS + 1096, [], 0
    year = np.arange(days) % 365.25
    pace = {"as modelled": np.ones(days), "season": season(days), "christmas": np.where((year >= 325) & (year < 358), 4.0, 1.0),
            "decline": 0.85 ** (np.arange(days) / 365.25), "closure": np.where((np.arange(days) >= 400) & (np.arange(days) < 460), 0.0, 1.0)}[kind]  # fmt: skip
    for seed in range(20):
        log, came = shop(pace, customers=3000, seed=seed)
        if kind == "closure":
            log = log[~log["date"].between(START + pd.Timedelta(days=400), START + pd.Timedelta(days=459))]
        summary = cv.summarize(log, as_of=END)
        found = forecast_purchases(log, horizon=1096, as_of=END, summary=summary)
        alone = found.pace(cv.MBGNBD().fit(summary), summary).purchase_interval(summary, 1096, total=True)
        wide = found.spread.widen(alone, money=False)
        held += wide.low <= came <= wide.high
        errors.append(wide.value / came - 1)
    assert held >= 16
    assert abs(np.mean(errors)) < 0.1
