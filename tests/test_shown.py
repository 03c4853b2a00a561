"""What a notebook shows of a result: readable as text, escaped as HTML, and the statsmodels summary of a model."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pandas as pd
import pytest

import clvnb as cv

EVIL = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def fitted() -> cv.MBGNBD:
    shop = cv.load_sample("cdnow")
    return cv.MBGNBD().fit(cv.summarize(cv.check_transactions(cv.read_transactions(shop)).kept))


@pytest.fixture(scope="module")
def results(tmp_path_factory, fitted) -> dict:
    """One of each kind of result, its client's name and segments meant to harm."""
    from helpers import small_orders

    folder = tmp_path_factory.mktemp("evil")
    (folder / "orders.csv").write_text(small_orders(customers=300), encoding="utf-8")
    client = cv.begin_client(folder, folder / "orders.csv", name=EVIL, margin=0.4).client
    value = cv.value_step(client)
    plan = cv.improve_step(client)
    satisfaction = cv.satisfaction_step(client)
    choice = cv.choose_model(value.checked.kept)
    return {
        "Checked": value.checked,
        "Finding": cv.Finding(pd.DataFrame({EVIL: [EVIL]}), EVIL),
        "model": fitted,
        "Baseline": cv.baseline(None, None, client=EVIL, as_of="2025-01-01", card={EVIL: EVIL}),
        "SatisfactionStep": satisfaction,
        "Verdict": cv.measure_change(
            pd.DataFrame({"customer_id": [str(k) for k in range(400)], "group": ["treated", "holdout"] * 200,
                          "value": [float(k % 3 > 0) for k in range(400)]}),
            cv.Outcome(EVIL), randomised=True, planned=0.5),
        "Card": value.card,
        "ValueStep": value,
        "ImproveStep": plan,
        "Trust": value.trust,
        "Link": plan.link,
        "Choice": choice,
        "Holdout": choice.holdout,
        "Backtest": cv.backtest(value.checked.kept, origins=1),
        "Forecast": value.outlook,
        "CustomerCard": cv.Cards.of_steps(value, plan).card("c0001"),
    }  # fmt: skip


class Tags(HTMLParser):
    """Which tags are opened."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.add(tag)


def test_every_result_shows_itself_and_runs_nothing(results):
    for name, result in results.items():
        tags = Tags()
        tags.feed(result._repr_html_())
        assert tags.seen, name
        assert "script" not in tags.seen, name
        plain = repr(result)
        assert len(plain) > 10, name
        assert "DataFrame" not in plain, name
        assert " object at 0x" not in plain, name


def test_summary_of_a_model_is_what_statsmodels_users_know(fitted):
    shown = fitted.summary(unit="week")
    text = shown.as_text()
    table = fitted.estimates(unit="week").set_index("parameter")
    for name in fitted.parameters:
        line = re.search(rf"^{name} +(.+)$", text, re.MULTILINE)[1].split()
        assert line == [f"{v:.4f}" for v in table.loc[name, ["estimate", "standard_error", "low", "high"]]]
    assert f"{fitted.log_likelihood_:.1f}" in text
    assert "weeks" in text
    assert shown.as_html().count("<table") == 2


def test_summary_names_effects_of_covariates(sample_summary):
    tagged = sample_summary.assign(side=[EVIL if k % 3 else "right" for k in range(len(sample_summary))])
    text = cv.BGNBD().fit(tagged, covariates=["side"]).summary().as_html()
    assert "side" in text
    assert "<script>" not in text


def test_a_model_with_given_parameters_shows_them():
    assert "r=0.2426" in cv.BGNBD.with_params(unit="1 week", r=0.2426, alpha=4.414, a=0.793, b=2.426)._repr_html_()
