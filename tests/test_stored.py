"""A model survives its file, pickle and cloudpickle to the last digit, and a foreign file is refused in words."""

from __future__ import annotations

import json
import pickle
from functools import cache

import cloudpickle
import numpy as np
import pandas as pd
import pytest

import clvnb as cv
from clvnb.models.posterior import Kept
from clvnb.models.stored import MODELS, from_recipe, recipe


@pytest.fixture(scope="module")
def shop() -> pd.DataFrame:
    truth = cv.MBGCNBDk.with_params(r=0.9, alpha=30.0, a=0.8, b=2.5, k=2)
    spend = cv.GammaGamma.with_params(p=6.25, q=3.74, v=15.44)
    log = truth.simulate(1200, joined="180 days", length="500 days", spend=spend, seed=3)
    summary = cv.summarize(log.assign(customer_id="who" + log["customer_id"]))
    return summary.assign(channel=np.where(summary.index % 3, "ads", "mail"), old=summary.index % 2 == 0)


def renewals(model: type) -> object:
    truth = cv.ShiftedBetaGeometric.with_params(alpha=0.8, beta=2.0)
    made = truth.simulate(900, 8, seed=1)
    ids = [str(k) for k in range(len(made))]
    return model().fit(made.assign(customer_id=ids, plan="a", opportunities=made["renewals"] + 1, price=1.0, period=1))


def opportunities() -> object:
    truth = cv.BGBB.with_params(alpha=1.2, beta=0.75, gamma=0.66, delta=2.8)
    return cv.BGBB().fit(truth.simulate(800, 6, seed=2))


SHOP = {
    "BG/NBD": lambda s: cv.BGNBD().fit(s),
    "MBG/NBD": lambda s: cv.MBGNBD().fit(s),
    "few customers": lambda s: cv.MBGNBD().fit(s.head(120)),
    "some customers": lambda s: cv.BGNBD().fit(s.head(300)),
    "Pareto/NBD": lambda s: cv.ParetoNBD().fit(s),
    "GGompertz/NBD": lambda s: cv.GGompertzNBD().fit(s),
    "BG/CNBD-k": lambda s: cv.BGCNBDk().fit(s),
    "MBG/CNBD-3": lambda s: cv.MBGCNBDk(3).fit(s),
    "covariates": lambda s: cv.MBGNBD().fit(s, covariates=["channel", "old"]),
    "given": lambda s: cv.ParetoNBD.with_params(r=0.5, alpha=60.0, s=0.6, beta=80.0),
    "spend": lambda s: cv.GammaGamma().fit(s),
    "BG/BB": lambda s: opportunities(),
    "sBG": lambda s: renewals(cv.ShiftedBetaGeometric),
    "BdW": lambda s: renewals(cv.BetaDiscreteWeibull),
}


def through_file(model, folder):
    model.save(folder / "model.json")
    return cv.load_model(folder / "model.json")


WAYS = {
    "file": through_file,
    "pickle": lambda model, _: pickle.loads(pickle.dumps(model)),
    "cloudpickle": lambda model, _: cloudpickle.loads(cloudpickle.dumps(model)),
}


@pytest.fixture(scope="module")
def fitted(shop):
    return {name: make(shop) for name, make in SHOP.items()}


def said_by(model, rows: pd.DataFrame) -> dict:
    """Everything that must come back: parameters, draws, estimates, expectations and intervals."""
    said = {"params": model.params_, "draws": model.draws(50, seed=3), "uncertainty": model.uncertainty_}
    if model.fit_ is not None:
        said |= {"estimates": model.estimates(), "at bound": model.at_bound_}
        said |= {"log-likelihood": model.log_likelihood_, "AIC": model.aic_, "n": model.n_}
    if hasattr(model, "next_purchase"):
        said |= {
            "interval": model.purchase_interval(rows, "1 year"),
            "expected": model.expected_purchases(rows, "1 year"),
            "total": model.purchase_interval(rows, "1 year", total=True),
        }
    if model.fit_ is not None and getattr(model, "covariates_", None):
        said |= {"effects": model.effects_, "test": model.covariate_test_}
        said["newcomer"] = model.expected_purchases_new("1 year", channel="ads")
    return said


@pytest.fixture(scope="module")
def said(fitted, shop):
    """What each fitted model says of sixty customers; computed when it is first asked for, before the model is stored."""
    return cache(lambda name: said_by(fitted[name], shop.head(60)))


def assert_same(one, other):
    if isinstance(one, pd.DataFrame):
        pd.testing.assert_frame_equal(one, other, check_exact=True)
    elif isinstance(one, pd.Series):
        pd.testing.assert_series_equal(one, other, check_exact=True)
    elif isinstance(one, np.ndarray | tuple):
        np.testing.assert_array_equal(one, other)
    else:
        assert one == other


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", SHOP)
def test_a_model_comes_back_to_the_last_digit(name, way, fitted, said, shop, tmp_path):
    model = fitted[name]
    before = said(name)
    again = WAYS[way](model, tmp_path)
    assert type(again) is type(model)
    assert again.key == model.key
    after = said_by(again, shop.head(60))
    assert after.keys() == before.keys()
    for what, value in before.items():
        assert_same(after[what], value)


def test_the_file_holds_what_it_must_and_no_customer(fitted, tmp_path):
    fitted["BG/NBD"].save(tmp_path / "model.json")
    text = (tmp_path / "model.json").read_text()
    state = json.loads(text)
    assert {"params", "bounds", "fit", "window", "clvnb", "name", "key", "version"} <= set(state)
    assert 400 < state["window"]["longest"] <= 500
    assert {"first", "last"} <= set(state["window"])
    assert len(text) < 80_000
    assert "who" not in text


def test_draws_by_points_are_kept(fitted):
    """The file holds the points of importance sampling or of refits, without which intervals would change."""
    kinds = {name: model.posterior_.kept for name, model in fitted.items() if model.posterior_ is not None}
    assert all(isinstance(kept, Kept) for kept in kinds.values())
    assert any(kept.points is not None for kept in kinds.values())
    assert any(kept.points is None for kept in kinds.values())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s | {"version": 99, "clvnb": "7.0"}, "written by clvnb 7.0 .*update clvnb"),
        (lambda s: s | {"format": "another"}, "is no model of clvnb"),
        (lambda s: s | {"model": "Oracle"}, "'Oracle', which this clvnb does not know"),
        (lambda s: {k: v for k, v in s.items() if k != "params"}, "is damaged: KeyError at 'params'"),
        (lambda s: [1], "is no model of clvnb"),
    ],
)
def test_another_file_is_refused_in_words(change, said, fitted, tmp_path):
    file = tmp_path / "model.json"
    fitted["BG/NBD"].save(file)
    file.write_text(json.dumps(change(json.loads(file.read_text()))))
    with pytest.raises(cv.FitError, match=said):
        cv.load_model(file)


def test_a_later_version_may_add_keys(fitted, tmp_path):
    file = tmp_path / "model.json"
    fitted["BG/NBD"].save(file)
    file.write_text(json.dumps(json.loads(file.read_text()) | {"new": 1}))
    assert cv.load_model(file).key == "BGNBD"


def test_no_file_and_no_parameters_are_said(tmp_path):
    with pytest.raises(cv.FitError, match=r"nothing.json: the model could not be read"):
        cv.load_model(tmp_path / "nothing.json")
    (tmp_path / "text.json").write_text("{")
    with pytest.raises(cv.FitError, match="not JSON"):
        cv.load_model(tmp_path / "text.json")
    with pytest.raises(cv.FitError, match="no parameters yet"):
        cv.BGNBD().save(tmp_path / "none.json")


def test_a_clone_is_alike_and_not_fitted(fitted):
    for model in fitted.values():
        copy = model.clone()
        assert type(copy) is type(model)
        assert copy.settings == model.settings
        assert copy.fit_ is None
    assert cv.MBGCNBDk(3).key == "MBGCNBDk(k=3)"
    assert cv.MBGCNBDk().key == "MBGCNBDk"


@pytest.mark.parametrize("kind", MODELS.values(), ids=list(MODELS))
def test_a_recipe_makes_a_fresh_model_of_the_same_class_and_settings(kind):
    for model in (kind(), *([kind(k=3)] if "k" in kind().settings else [])):
        again = from_recipe(json.loads(json.dumps(recipe(model))))
        assert (type(again), again.key) == (kind, model.key)
        assert not hasattr(again, "params_")
    assert from_recipe({"model": "Oracle", "settings": {}}) is None
    assert from_recipe({}) is None
