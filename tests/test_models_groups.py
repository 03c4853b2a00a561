"""Groups that share a model: alike they are drawn together, apart they are told apart, and values know them."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest

import clvnb as cv
from clvnb.core.engine import as_ibis
from clvnb.data.groups import classed
from clvnb.models.gamma_gamma import fit_spend
from clvnb.models.stored import load_model

MODELS = [cv.BGNBD, cv.MBGNBD, cv.ParetoNBD]
TRUTH = {
    "BG/NBD": {"r": 0.8, "alpha": 60.0, "a": 0.8, "b": 2.5},
    "MBG/NBD": {"r": 0.8, "alpha": 60.0, "a": 0.8, "b": 2.5},
    "Pareto/NBD": {"r": 0.8, "alpha": 60.0, "s": 0.9, "beta": 150.0},
}
YEARS = "3 years"


def channels(cls, effects: dict[str, tuple[float, float]], n: int, seed: int = 1) -> pd.DataFrame:
    """Customers of each channel buy exp(first) times as often and leave exp(second) times as readily as TRUTH says."""
    parts = []
    for k, (name, (rate, leave)) in enumerate(effects.items()):
        truth = dict(TRUTH[cls.name])
        truth["alpha"] *= np.exp(-rate)
        truth["beta" if "beta" in truth else "a"] *= np.exp(-leave if "beta" in truth else leave)
        log = cls.with_params(**truth).simulate(n, joined="1 year", length="2 years", seed=seed * 100 + k)
        rows = cv.summarize(log)
        rng, x = np.random.default_rng(seed * 100 + k), np.maximum(rows["frequency"], 1)
        money = np.where(rows["frequency"] > 0, rng.gamma(4 * x) / (4 * x) * 120 / rng.gamma(5, size=len(rows)), np.nan)
        parts.append(rows.assign(channel=name, customer_id=name + rows["customer_id"], monetary_value=money))
    return pd.concat(parts, ignore_index=True)


ALIKE = {f"c{k}": (0.0, 0.0) for k in range(10)}
APART = {"good": (0.3, -0.3), "poor": (-0.3, 0.3)}


def of_new(model, names) -> np.ndarray:
    return np.array([model.expected_purchases_new(YEARS, channel=name) for name in names])


@pytest.mark.parametrize("cls", MODELS, ids=lambda c: c.name)
def test_channels_that_are_alike_are_drawn_together(cls):
    rows = channels(cls, ALIKE, 300)
    pooled, apart = cls().fit(rows, groups=["channel"]), cls().fit(rows, covariates=["channel"])
    assert np.ptp(np.log(of_new(apart, ALIKE))) > np.log(1.2)
    assert np.ptp(np.log(of_new(pooled, ALIKE))) < np.log(1.1)
    assert pooled.pooled_.gain < 2
    assert pooled.aic_ < apart.aic_
    assert pooled.expected_purchases_new(YEARS) == pytest.approx(
        cls().fit(rows).expected_purchases_new(YEARS), rel=0.01
    )


@pytest.mark.parametrize("cls", MODELS, ids=lambda c: c.name)
def test_channels_that_differ_are_told_apart(cls):
    rows = channels(cls, APART, 1500)
    pooled, apart = cls().fit(rows, groups=["channel"]), cls().fit(rows, covariates=["channel"])
    np.testing.assert_allclose(of_new(pooled, APART), of_new(apart, APART), rtol=0.03)
    assert pooled.pooled_.gain > 20
    assert (pooled.group_widths_["width"] < 1).all()
    assert pooled.group_widths_.set_index("parameter").loc["alpha", "width"] > 0.2
    for name, (rate, leave) in APART.items():
        truth = dict(TRUTH[cls.name])
        truth["alpha"] *= np.exp(-rate)
        truth["beta" if "beta" in truth else "a"] *= np.exp(-leave if "beta" in truth else leave)
        found = pooled.expected_purchases_new(YEARS, channel=name)
        assert found == pytest.approx(cls.with_params(**truth).expected_purchases_new(YEARS), rel=0.12)


def test_a_small_channel_leans_on_the_others_and_a_new_one_is_typical():
    rows = channels(cv.MBGNBD, {**APART, "third": (0.0, 0.0)}, 1500)
    few = pd.concat([rows, channels(cv.MBGNBD, {"tiny": (1.0, 0.0)}, 12, seed=9)], ignore_index=True)
    model = cv.MBGNBD().fit(few, groups=["channel"])
    tiny, good = of_new(model, ["tiny", "good"])
    assert good / 3 < tiny < 1.5 * good
    unseen = model.expected_purchases(rows.assign(channel="street"), YEARS)
    known = cv.MBGNBD.with_params(**model.params_.to_dict()).expected_purchases(rows, YEARS)
    np.testing.assert_allclose(unseen, known, rtol=1e-9)
    with pytest.raises(cv.TableError, match="no 'goood'; did you mean 'good'"):
        model.expected_purchases_new(YEARS, channel="goood")


def test_rows_that_were_changed_are_looked_at_anew():
    rows = channels(cv.MBGNBD, APART, 300)
    model = cv.MBGNBD().fit(rows, groups=["channel"])
    before = model.expected_by_row(rows, [(365.0, 1.0)])
    rows.loc[:, "channel"] = "poor"
    after = model.expected_by_row(rows, [(365.0, 1.0)])
    good = np.arange(len(before)) < 300  # came by the good one
    assert (before[good] != after[good]).all()
    assert before[good].sum() > 1.1 * after[good].sum()
    np.testing.assert_array_equal(before[~good], after[~good])


def test_names_order_and_splits_of_rows_change_nothing():
    rows = channels(cv.MBGNBD, APART, 400)
    model = cv.MBGNBD().fit(rows, groups=["channel"])
    other = rows.sample(frac=1, random_state=3).assign(channel=lambda t: t["channel"].map({"good": "zz", "poor": "aa"}))
    again = cv.MBGNBD().fit(other, groups=["channel"])
    np.testing.assert_allclose(of_new(again, ["zz", "aa"]), of_new(model, ["good", "poor"]), rtol=1e-5)


def test_the_effects_are_the_penalised_maximum():
    """Found again by a search that knows nothing of slopes, from the likelihood of each channel alone."""
    from scipy.optimize import minimize

    rows = channels(cv.MBGNBD, APART, 200)
    model = cv.MBGNBD().fit(rows, groups=["channel"])
    widths = model.group_widths_["width"].to_numpy()
    parts = [cv.MBGNBD().fit(rows[rows["channel"] == name]) for name in model.design_.levels["channel"]]
    bare = [part.posterior_.objective for part in parts]

    def minus(logs: np.ndarray) -> float:
        theta, effects = logs[:4], logs[4:].reshape(3, 2)  # of alpha, a, b by channel
        value = -float(((effects / widths[:, None]) ** 2).sum()) / 2
        for k, objective in enumerate(bare):
            own = theta.copy()
            for i, (name, sign) in enumerate(model.effects.items()):
                own[model.parameters.index(name)] += sign * effects[i, k]
            value += objective(np.exp(own))[0]
        return -value

    at = np.log(model.point())
    found = minimize(minus, at + 0.01, method="BFGS", options={"gtol": 1e-3})
    assert minus(at) <= found.fun + 1e-6
    np.testing.assert_allclose(at, found.x, atol=5e-3)


def test_saved_and_pickled_models_predict_alike(tmp_path):
    rows = channels(cv.MBGNBD, APART, 300)
    for model in (cv.MBGNBD().fit(rows, groups=["channel"]), cv.GammaGamma().fit(rows, groups=["channel"])):
        model.save(tmp_path / "model.json")
        for other in (load_model(tmp_path / "model.json"), pickle.loads(pickle.dumps(model))):
            assert other.groups_ == ("channel",)
            np.testing.assert_array_equal(other.draws(20), model.draws(20))
            if isinstance(model, cv.MBGNBD):
                np.testing.assert_array_equal(
                    other.expected_purchases(rows, YEARS), model.expected_purchases(rows, YEARS)
                )
                np.testing.assert_array_equal(of_new(other, APART), of_new(model, APART))
            else:
                np.testing.assert_array_equal(other.expected_spend(rows), model.expected_spend(rows))
                assert other.expected_spend_new(channel="good") == model.expected_spend_new(channel="good")


def test_spend_by_group_in_any_unit_of_money():
    rows = channels(cv.MBGNBD, APART, 600)
    rows["monetary_value"] *= np.where(rows["channel"] == "good", 1.5, 1.0)
    model = cv.GammaGamma().fit(rows, groups=["channel"])
    good, poor = (model.expected_spend_new(channel=c) for c in APART)
    assert good / poor == pytest.approx(1.5, rel=0.06)
    alone = cv.GammaGamma().fit(rows[rows["channel"] == "good"])
    assert good == pytest.approx(alone.expected_spend_new(), rel=0.03)
    cents = cv.GammaGamma().fit(rows.assign(monetary_value=100 * rows["monetary_value"]), groups=["channel"])
    assert cents.expected_spend_new(channel="good") == pytest.approx(100 * good, rel=1e-4)
    np.testing.assert_allclose(cents.expected_spend(rows.assign(monetary_value=100 * rows["monetary_value"])),
                               100 * model.expected_spend(rows), rtol=1e-4)  # fmt: skip
    there = model.expected_spend(as_ibis(rows)).to_pandas().set_index("customer_id")["expected_spend"]
    np.testing.assert_allclose(there.loc[rows["customer_id"]], model.expected_spend(rows), rtol=1e-9)


def test_spend_of_channels_that_are_alike():
    rows = channels(cv.MBGNBD, ALIKE, 300)
    model, plain = cv.GammaGamma().fit(rows, groups=["channel"]), cv.GammaGamma().fit(rows)
    means = np.array([model.expected_spend_new(channel=c) for c in ALIKE])
    assert np.ptp(np.log(means)) < np.log(1.05)
    assert model.expected_spend_new() == pytest.approx(plain.expected_spend_new(), rel=0.01)


def test_values_by_group_add_up():
    rows = channels(cv.MBGNBD, APART, 500)
    terms = cv.Economics(margin=0.4, horizon="2 years")
    model, spend = cv.MBGNBD().fit(rows, groups=["channel"]), fit_spend(rows, ["channel"])
    total, by = cv.clv_total(rows, model, spend, terms), cv.clv_total(rows, model, spend, terms, by="channel")
    assert sum(e.value for e in by.values()) == pytest.approx(total.value, rel=1e-9)
    table = cv.clv_table(rows, model, spend, terms)
    assert table.groupby("channel")["clv"].sum().to_dict() == pytest.approx({k: e.value for k, e in by.items()})
    new = {c: cv.clv_new_customer(model, spend, terms, of={"channel": c}) for c in APART}
    share = rows["channel"].value_counts(normalize=True)
    everybody = cv.clv_new_customer(model, spend, terms)
    assert everybody.value == pytest.approx(sum(share[c] * e.value for c, e in new.items()), rel=1e-9)
    assert new["good"].low > new["poor"].high
    there = cv.clv_table(as_ibis(rows), model, spend, terms).to_pandas().set_index("customer_id")
    np.testing.assert_allclose(there.loc[table["customer_id"], "clv"], table["clv"], rtol=1e-9)
    chances = cv.value.clv.tier_chances(rows, model, spend, terms)
    assert chances[["chance_A", "chance_B", "chance_C"]].sum(axis=1).to_numpy() == pytest.approx(1)


def test_columns_become_a_few_classes():
    rows = pd.DataFrame({"customer_id": [str(k) for k in range(400)], "region": ["north", None] * 200, "one": "x",
                         "basket": np.arange(400.0), "sku": [f"s{k % 60}" for k in range(400)]})  # fmt: skip
    rows["channel"] = [str(1000 + k % 20) for k in range(400)]  # numbers of channels are names
    found, told = classed(rows, ["region", "one", "basket", "sku", "gone", "channel"])
    assert told == ("region", "basket", "sku", "channel")
    assert found["channel"].nunique() == 20
    assert set(found["region"]) == {"north", "unknown"}
    assert found["basket"].value_counts().to_dict() == {k: 80 for k in found["basket"].unique()}
    assert found["basket"].iloc[0] == "0 to 79.8"
    assert found["sku"].nunique() == 30
    assert (found["sku"] == "other").sum() > 100


# ------------------------------------------------------------------------------------------- a client's


def shop(folder, effects, n: int, *, more: str = "", column: str = "channel"):
    """A client whose orders say where each customer came from."""
    rng, parts = np.random.default_rng(7), []
    for k, (name, (rate, leave)) in enumerate(effects.items()):
        truth = {"r": 0.8, "alpha": 60 * np.exp(-rate), "a": 0.8 * np.exp(leave), "b": 2.5}
        log = cv.MBGNBD.with_params(**truth).simulate(n, joined="1 year", length="2 years", seed=50 + k)
        parts.append(log.assign(**{column: name}, customer_id=f"k{k}-" + log["customer_id"]))
    log = pd.concat(parts, ignore_index=True)
    log["amount"] = np.round(rng.gamma(8, 4, len(log)), 2)
    folder.mkdir()
    log.to_csv(folder / "orders.csv", index=False)
    columns = ", ".join(f"{c}: {c}" for c in ("customer_id", "date", "amount", column))
    (folder / "client.yaml").write_text(
        f"name: Groups\ncurrency: EUR\ntransactions: {{source: orders.csv, columns: {{{columns}}}}}\neconomics: {{margin: 0.5}}\n{more}",
        encoding="utf-8",
    )
    return cv.Client.load(folder)


@pytest.fixture(scope="module")
def step(tmp_path_factory):
    return cv.value_step(shop(tmp_path_factory.mktemp("groups") / "one", APART, 700))


def test_a_report_knows_the_channels(step):
    assert step.channels["clv"].mul(step.channels["customers"]).sum() == pytest.approx(step.total.value, rel=1e-6)
    worth = step.channels.set_index("channel")
    assert worth.loc["good", "compare_low"] > worth.loc["poor", "compare_high"]
    effects = step.groups.table.set_index("level")
    assert effects.loc["good", "orders_low"] > 1 > effects.loc["poor", "orders_high"]
    assert effects["spend_low"].max() <= 1 <= effects["spend_high"].min()
    assert "explains how customers buy better" in step.groups.text
    assert "know by channel" in step.choice


def test_a_column_of_ones_own_tells_customers_apart(tmp_path):
    found = cv.value_step(shop(tmp_path / "own", APART, 300, more="covariates: [region]\n", column="region"))
    assert set(found.groups.table["column"]) == {"region"}
    assert found.channels.empty
    customers = found.customers.assign(region=found.books.summary["region"])
    assert customers.groupby("region")["clv"].mean().idxmax() == "good"


def test_channels_that_are_alike_are_said_to_be(tmp_path):
    found = cv.value_step(shop(tmp_path / "alike", {f"c{k}": (0.0, 0.0) for k in range(6)}, 200))
    assert "By channel customers are alike" in found.groups.text
    assert found.channels["new_customer"].max() / found.channels["new_customer"].min() < 1.1


def test_a_covariate_that_is_no_column_is_named(tmp_path):
    client = shop(tmp_path / "wrong", APART, 60, more="covariates: [chanel]\n")
    with pytest.raises(cv.ClientError, match="covariates: 'chanel'; did you mean 'channel'"):
        cv.value_step(client)
    for k, (more, said) in enumerate(
        (
            ("kind: subscription\ncovariates: [channel]\n", "told apart by plan"),
            ("kind: subscription\ncalendar: {sale: [2024-05-01]}\n", "members renew when their period ends"),
            ("covariates: [customer_id]\n", "no kind of customer"),
            ("calendar: {trend: [2024-05-01]}\n", "the forecast's own name"),
        )
    ):
        with pytest.raises(cv.ClientError, match=said):
            shop(tmp_path / f"club{k}", APART, 60, more=more)
