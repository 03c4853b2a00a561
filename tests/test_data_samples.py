"""The example clients: what is shipped is what the seeds make, and it holds the truth it claims."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import clvnb as cv
from clvnb.data.contracts import check_contracts, read_contracts, summarize_contracts
from clvnb.data.samples import SHOP_TRUTH, SUBSCRIPTION_TRUTH, guide_folder, write


def test_cdnow_is_the_published_log():
    """Counts of the master file as published with the R and Python packages that ship it."""
    log = pd.read_csv(guide_folder("data") / "cdnow/orders.csv", dtype={"customer_id": str})
    assert len(log) == 69_659
    assert log["customer_id"].nunique() == 23_570
    assert (log["date"].min(), log["date"].max()) == (19970101, 19980630)
    assert log["dollar_value"].sum() == pytest.approx(2_500_315.63)
    sample = pd.read_csv(guide_folder("data") / "cdnow/sample.csv", dtype=str)
    assert (len(sample), sample["customer_id"].nunique()) == (6_919, 2_357)
    assert set(sample["master_id"]) <= set(log["customer_id"])


def test_shipped_tables_are_what_the_seeds_make(tmp_path):
    write(tmp_path)
    for made in sorted(tmp_path.glob("*/*.csv")):
        shipped = guide_folder("data") / made.parent.name / made.name
        assert shipped.read_bytes() == made.read_bytes(), f"{shipped}: run `python -m clvnb.data.samples data`"


def test_smaller_simulations_follow_the_seed():
    one, two = cv.data.simulate_shop(seed=1, customers=200), cv.data.simulate_shop(seed=1, customers=200)
    other = cv.data.simulate_shop(seed=2, customers=200)
    pd.testing.assert_frame_equal(one.tables["orders"], two.tables["orders"])
    assert not one.tables["orders"].equals(other.tables["orders"])


@pytest.fixture(scope="module")
def shop() -> dict[str, pd.DataFrame]:
    folder = guide_folder("data") / "shop"
    return {p.stem: pd.read_csv(p, dtype={"customer_no": str, "Kundennr": str}, sep=";" if p.stem == "orders" else ",")
            for p in folder.glob("*.csv")}  # fmt: skip


def test_shop_has_every_table_of_the_four_steps(shop):
    assert set(shop) == {"orders", "surveys", "service", "acquisition", "initiatives"}
    assert shop["surveys"]["wave"].nunique() >= 3
    assert shop["acquisition"]["channel"].nunique() == 2
    assert shop["orders"]["Betrag"].str.startswith("-").sum() > 500
    asked_early = shop["surveys"].query("wave == '2024-06'")
    assert set(asked_early["question"]) == {"csat", "nps"}


def test_holdout_of_the_shop_is_random(shop):
    """The share drawn, and no difference in what customers did before the start (the draw knew nothing)."""
    drawn = shop["initiatives"]
    share = (drawn["group"] == "holdout").mean()
    assert share == pytest.approx(SHOP_TRUTH["holdout_share"], abs=4 * np.sqrt(0.16 / len(drawn)))
    orders = shop["orders"].assign(day=lambda t: pd.to_datetime(t["Bestelldatum"], format="%d.%m.%Y %H:%M"))
    before = orders[orders["day"] < SHOP_TRUTH["initiative_start"]].groupby("Kundennr").size()
    counts = before.reindex(drawn["customer_no"]).fillna(0).to_numpy()
    treated = (drawn["group"] == "treated").to_numpy()
    se = np.sqrt(counts[treated].var() / treated.sum() + counts[~treated].var() / (~treated).sum())
    assert abs(counts[treated].mean() - counts[~treated].mean()) < 3.5 * se


def test_satisfied_customers_come_back(shop):
    """The known link: the odds to leave fall by exp(-0.45) a point, so the satisfied buy again more often."""
    wave = shop["surveys"].query("wave == '2024-12' and question == 'csat'").drop_duplicates("customer_no")
    orders = shop["orders"].assign(day=lambda t: pd.to_datetime(t["Bestelldatum"], format="%d.%m.%Y %H:%M"))
    later = set(orders.loc[orders["day"] > "2025-01-01", "Kundennr"])
    back = wave["customer_no"].isin(later)
    assert back[wave["score"] >= 4].mean() > back[wave["score"] <= 3].mean() + 0.05


def test_subscription_holds_its_plans_and_effect():
    """Plans are shifted beta-geometric before the initiative; members in it leave less, by a known factor."""
    client = cv.load_sample("subscription")
    contracts = check_contracts(read_contracts(client)).kept
    start = pd.Timestamp(SUBSCRIPTION_TRUTH["initiative_start"])
    drawn = pd.read_csv(client.folder / "initiatives.csv").set_index("member")["group"]
    people = summarize_contracts(contracts, as_of=client.as_of)
    people["group"] = people["customer_id"].map(drawn).fillna("before")
    untouched = people[people["group"] != "treated"]
    for plan, truth in SUBSCRIPTION_TRUTH["plans"].items():
        model = cv.ShiftedBetaGeometric().fit(untouched[untouched["plan"] == plan])
        mean = truth["alpha"] / (truth["alpha"] + truth["beta"])
        got = model.params_["alpha"] / model.params_.sum()
        assert got == pytest.approx(mean, abs=0.04), plan
    assert (people.loc[people["group"] != "before", "first_date"] >= start).all()
    monthly = people[(people["plan"] == "monthly") & (people["group"] != "before")]
    churn = monthly.groupby("group").apply(lambda g: (~g["active"]).sum() / g["opportunities"].sum())
    assert churn["treated"] < churn["holdout"]


def test_load_sample_names_what_there_is():
    with pytest.raises(cv.ClientError, match="cdnow, shop, subscription"):
        cv.load_sample("amazon")
