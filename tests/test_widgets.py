"""A slider moved is a function called: the answer follows, and an impossible setting says why."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime

import pandas as pd
import pytest

import clvnb as cv
from clvnb.core.words import Words
from clvnb.widgets.calculators import answer_clv, answer_design
from clvnb.widgets.panel import Panel, State
from helpers import small_orders

EUR = Words("EUR")


@pytest.fixture(scope="module")
def base() -> cv.improve.Base:
    rows = {"segment": ["best", "rest"], "customers": [200, 800], "active": [0.9, 0.5], "retention": [0.8, 0.6], "frequency": [6.0, 2.0],
            "basket": [60.0, 40.0], "margin": 0.4, "cost_to_serve": 2.0, "clv": [220.0, 25.0]}  # fmt: skip
    return cv.improve.Base(pd.DataFrame(rows), "3 years", 0.1)


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> cv.Client:
    folder = tmp_path_factory.mktemp("clients") / "small"
    folder.mkdir()
    (folder / "orders.csv").write_text(small_orders(), encoding="utf-8")
    return cv.begin_client(folder, folder / "orders.csv", currency="EUR", margin=0.4).client


@pytest.fixture(scope="module")
def cards(shop) -> cv.Cards:
    value = cv.value_step(shop)
    return cv.Cards.of_steps(value, cv.improve_step(shop, as_of=value.as_of))


def picture(panel: Panel, k: int = 0) -> bytes:
    """The PNG behind a panel's picture; its alt text must state a number."""
    shown = panel.pictures[k].value
    assert re.search(r'alt="[^"]*\d', shown)
    return base64.b64decode(re.search(r"base64,([^\"]+)", shown)[1])


# ---------------------------------------------------------------------------------------- state and view


def test_a_state_needs_no_view():
    state = State(lambda price: cv.Finding(pd.DataFrame({"price": [price]}), f"It costs {price}."), price=1)
    seen = []
    state.observe(lambda change: seen.append(change.new), names=["computing"])
    state.price = 2
    assert state.found.text == "It costs 2."
    assert seen == [True, False]


def test_what_cannot_be_answered_is_said_and_the_next_answer_takes_its_place():
    panel = Panel("root", *_root())
    panel.controls["x"].value = -1
    assert "math domain error" in panel.said.value
    assert "alert" in panel.said.value
    panel.controls["x"].value = 9
    assert "3.0" in panel.said.value
    assert panel.state.error == ""


def test_a_setting_that_is_none_is_refused_and_leaves_the_panel_as_it_was():
    panel = cv.widgets.explore_design()
    said = panel.said.value
    with pytest.raises(ValueError, match="assigned cannot be False; it is one of 'chance', 'chosen', 'everybody'"):
        panel.state.assigned = False
    with pytest.raises(AttributeError, match="did you mean 'holdout'"):
        panel.state.holdot = 0.2
    assert panel.state.assigned == "chance"
    assert panel.said.value == said


def test_a_fault_of_ours_is_shown_with_its_traceback_and_escaped():
    def answer(x):
        raise KeyError("<b>")

    panel = Panel("faulty", State(answer, x=1), {})
    assert "should not have happened (KeyError" in panel.said.value
    assert "Traceback" in panel.said.value
    assert "<b>" not in panel.said.value.replace("<strong>", "")


def test_a_picture_that_fails_is_said_too():
    state = State(lambda x: cv.Finding(pd.DataFrame({"x": [x]}), "fine"), x=1)
    panel = Panel("drawn", state, {}, draw=[lambda found: 1 / (found.table["x"][0] - 2) and _empty()])
    state.x = 2
    assert "ZeroDivisionError" in panel.said.value or "RuntimeWarning" in panel.said.value


def _root():
    import math

    from clvnb.widgets.panel import number

    control = number("x", 4, -10, 10)
    return State(lambda x: cv.Finding(pd.DataFrame(), f"{math.sqrt(x)}"), x=4), {"x": control}


def _empty():
    return cv.plots.plot_channels(pd.DataFrame())


def test_a_panel_stored_without_widgets_tells_its_answer(base):
    assert (
        cv.widgets.explore_clv(words=EUR)
        ._repr_mimebundle_()["text/plain"]
        .startswith("[panel: What is a customer worth?] A customer brings")
    )
    told = cv.widgets.explore_scenario(base, cv.lever_library(base), words=EUR)._repr_mimebundle_()["text/plain"]
    assert told.startswith("[panel: What is the net gain of ")


# -------------------------------------------------------------------------------------------- calculators


def test_calculator_follows_its_sliders():
    panel = cv.widgets.explore_clv(words=EUR)
    first = picture(panel)
    panel.controls["retention"].value = 0.8
    panel.controls["purchase"].value = 62.5  # 62.5 x 4 x 0.4 = 100 a year
    assert "€367" in panel.said.value
    assert picture(panel) != first
    panel.controls["retention"].value = 0.7
    assert "€275" in panel.said.value  # 100 * 1.1 / 0.4
    panel.state.raised = 0.5
    assert panel.controls["raised"].value == 0.5
    assert "Raising" not in panel.said.value


def test_rungs_of_the_calculator_are_the_formulas():
    found = answer_clv(50, 4, 0.5, 3, 0.7, 0.1, 0.75, words=EUR)
    value = found.table.set_index("method")["value"]
    assert value["Revenue formula"] == cv.formulas.clv_basic(3, 200)
    assert value["Margin formula"] == cv.formulas.clv_basic(3, 100)
    assert value["Retention formula"] == cv.formulas.clv_retention(100, 0.7, 0.1, "start_certain")
    assert value["Retention formula, 3 years"] == pytest.approx(100 * (1 + 0.7 / 1.1 + (0.7 / 1.1) ** 2))
    assert "3.3 years on average and not with the 3.0" in found.text


def test_sample_size_planner():
    panel = cv.widgets.explore_sample_size(share=0.8, customers=500, words=EUR)
    assert "906" in panel.said.value
    assert "could not be seen" in panel.said.value
    panel.controls["customers"].value = 10_000
    assert "could be seen" in panel.said.value
    panel.controls["share"].value = 0.95
    panel.controls["change"].value = 0.3
    assert panel.state.error == ""


def test_design_chooser():
    panel = cv.widgets.explore_design(customers=2000, words=EUR)
    designs = []
    for assigned in ("chance", "chosen", "everybody"):
        panel.controls["assigned"].value = assigned
        designs.append("".join(panel.state.found.table["design"]))
    assert designs == ["A+A", "BC", "EF"]
    panel.controls["series"].value = True
    assert panel.state.found.table["design"][0] == "D"
    panel.state.assigned, panel.state.before, panel.state.known = "chosen", False, False
    assert "leave a random part alone" in panel.said.value


def test_only_chance_may_say_caused():
    caused = [
        (a, d.design)
        for a in ("chance", "chosen", "everybody")
        for d in cv.choose_design(a, before=True, known=True, series=True).itertuples()
        if "caused" in d.may_say
    ]
    assert caused == [("chance", "A+"), ("chance", "A")]
    least = answer_design("chance", False, False, False, 1000, 0.5, 0.5, words=EUR)
    assert f"{100 * cv.detectable_change(500, 500, variance=0.25):.1f} percentage points" in least.text


# -------------------------------------------------------------------------------------------------- plans


def test_scenario_explorer_gives_what_the_functions_give(base):
    library = cv.lever_library(base)
    panels = cv.widgets.explore_scenario(base, library, words=EUR)
    panels.lever.value = "personal contact"
    panel = panels.panel
    scenario = next(s for s in library if s.name == "personal contact")
    expected = cv.evaluate_scenarios(base, [scenario], link=cv.improve.prior_link(), words=EUR)
    assert panel.state.found.text == expected.text
    assert panel.state.found.table["p_profit"][0] == expected.table["p_profit"][0]
    assert cv.improve.tornado(base, scenario, link=cv.improve.prior_link(), words=EUR).text in panel.pictures[1].value
    one, two = picture(panel, 0), picture(panel, 1)
    panel.controls["frequency"].value = 0.05
    assert picture(panel, 0) != one
    assert picture(panel, 1) != two
    panels.lever.value = "referrals" if "referrals" in panels.lever.options else panels.lever.options[0]
    panels.lever.value = "personal contact"
    assert panels.panel is panel  # and stands where it was left


def test_allocation_slider(base):
    gains = cv.improve.segment_gains(base, cv.lever_library(base), link=cv.improve.prior_link())
    panel = cv.widgets.explore_allocation(gains, 500, words=EUR)
    panel.controls["budget"].value = 1000
    assert panel.state.found.text == cv.allocate(gains, 1000, words=EUR).text
    panel.controls["cautious"].value = True
    assert panel.state.found.text == cv.allocate(gains, 1000, cautious=True, words=EUR).text


def test_without_a_plan_a_panel_says_so():
    assert "no plan to turn" in cv.widgets.explore_scenario(None, []).value
    assert "nothing to divide" in cv.widgets.explore_allocation(pd.DataFrame(), 100).value


# -------------------------------------------------------------------------------------------------- worth


def test_segment_explorer(cards):
    panel = cv.widgets.explore_segments(cards.customers, words=EUR)
    table = panel.state.found.table
    assert table["customers"].sum() == len(cards.customers)
    name = table["segment"][1]
    panel.controls["group"].value = name
    own = cards.customers[cards.customers["segment"] == name]
    assert f"{name}: {len(own)} customers brought" in panel.state.found.text
    best = own.sort_values("total_value", ascending=False)["customer_id"].iloc[0]
    assert best in panel.shown.value
    panel.controls["by"].value = "tier"
    assert panel.state.group == ""
    assert set(panel.state.found.table["segment"]) == set(cards.customers["tier"])


def test_cohort_explorer(cards):
    panel = cv.widgets.explore_cohorts(cards.log, words=EUR)
    panel.state.what, panel.state.period = "share", "month"
    pd.testing.assert_frame_equal(panel.state.found.table, cv.cohort_matrix(cards.log, period="month", what="share"))
    assert "of the oldest cohort bought" in panel.said.value
    first = picture(panel)
    panel.state.what = "revenue_per_customer"
    assert picture(panel) != first


def test_customer_finder(cards):
    panel = cv.widgets.explore_customers(cards)
    best = cards.find()["customer_id"][0]
    assert panel.state.customer == best
    assert best in panel.said.value
    panel.controls["search"].value = "c001"
    assert set(panel.controls["customer"].options) == {f"c001{k}" for k in range(10)}
    panel.controls["customer"].value = "c0012"
    assert panel.state.found.text.startswith(cards.card("c0012").headline.text)
    picture(panel, 0)
    panel.controls["search"].value = "nobody is called this"
    assert "No customer is found" in panel.said.value
    panel.controls["search"].value = ""
    panel.controls["among"].value = "at risk"
    ids = list(panel.controls["customer"].options)
    assert set(ids) <= set(cards.find(among="at risk")["customer_id"])
    assert (cards.customers.set_index("customer_id").loc[ids, "p_alive"] < 0.5).all()


# --------------------------------------------------------------------------------------------------- data


def drop(panel: Panel, name: str, content: bytes) -> None:
    """What the browser does with a dropped file."""
    sent = {"name": name, "type": "text/csv", "size": len(content), "content": memoryview(content)}
    panel.upload.value = (sent | {"last_modified": datetime(2025, 1, 1, tzinfo=UTC)},)


def test_a_dropped_file_becomes_a_client(tmp_path):
    panel = cv.widgets.explore_data(tmp_path / "data")
    assert "No file yet" in panel.said.value
    assert panel.save.disabled
    drop(panel, "my orders.csv", small_orders(customers=60).encode())
    found = panel.state.found.table
    assert dict(zip(found["meaning"], found["column"], strict=True))["amount"] == "amount"
    assert not (tmp_path / "data").exists()  # nothing is written before it is asked for
    panel.controls["name"].value, panel.controls["margin"].value, panel.controls["currency"].value = (
        "Tea & Co",
        0.4,
        "gbp",
    )
    panel.save.click()
    client = cv.Client.load(tmp_path / "data" / "Tea-Co")
    assert (client.name, client.currency, client.economics.margin) == ("Tea & Co", "GBP", 0.4)
    assert "clvnb report" in panel.saved.value
    assert sorted(p.name for p in client.folder.iterdir()) == ["client.yaml", "my-orders.csv"]


def test_a_file_may_be_named_at_once(tmp_path):
    (tmp_path / "orders.csv").write_text(small_orders(customers=30), encoding="utf-8")
    panel = cv.widgets.explore_data(tmp_path / "data", file=tmp_path / "orders.csv")
    assert panel.state.error == ""
    assert ("amount", "amount") in panel.controls["is_amount"].options


def test_a_doubt_is_settled_in_the_panel(tmp_path):
    rows = "who,when,sum\n" + "".join(f"c{k % 9},{k % 9 + 1:02d}/{k % 7 + 1:02d}/2024,{k}.5\n" for k in range(80))
    panel = cv.widgets.explore_data(tmp_path)
    drop(panel, "orders.csv", rows.encode())
    assert panel.state.error
    assert panel.save.disabled
    assert "who" in [value for _, value in panel.controls["is_customer_id"].options]
    panel.controls["is_customer_id"].value = "who"
    panel.controls["is_date"].value = "when"
    panel.controls["is_amount"].value = "sum"
    assert "%d/%m/%Y" in panel.state.error  # two ways to read the days
    panel.controls["date_format"].value = "%d/%m/%Y"
    assert panel.state.error == ""
    assert not panel.save.disabled


def test_hostile_names_stay_in_their_folder(tmp_path):
    panel = cv.widgets.explore_data(tmp_path / "data")
    drop(panel, "../../etc/<script>.csv", small_orders(customers=30).encode())
    assert panel.state.error == ""
    panel.controls["name"].value = "../../../<script>"
    panel.save.click()
    made = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert sorted(p.name for p in made) == ["client.yaml", "script-.csv"]
    assert all(p.parent.parent == tmp_path / "data" for p in made)
    assert "<script>" not in panel.saved.value + panel.said.value


def test_nothing_is_overwritten_and_a_file_that_is_none_is_said(tmp_path):
    panel = cv.widgets.explore_data(tmp_path)
    drop(panel, "orders.csv", small_orders(customers=30).encode())
    panel.save.click()
    again = cv.widgets.explore_data(tmp_path)
    drop(again, "orders.csv", small_orders(customers=30).encode())
    again.save.click()
    assert "holds a client already" in again.said.value
    drop(again, "photo.csv", b"\x89PNG\r\n\x1a\n\x00\x00\x00")
    assert again.state.error
    assert again.save.disabled
    again.controls["file"].value = str(tmp_path / "missing.csv")
    assert "no such file on this machine" in again.said.value


# ------------------------------------------------------------------------------------------------ clients


def test_start_page_says_how_a_client_stands(shop):
    panel = cv.widgets.explore_clients(shop.folder.parent, reports=shop.folder / "none")
    assert "No report yet. Next: chapter 1" in panel.said.value
    with pytest.raises(cv.ClvnbError, match="holds no client"):
        cv.widgets.explore_clients(shop.folder / "nowhere")


def test_start_page_reads_the_last_report(shop, tmp_path):
    value = cv.value_step(shop)
    day = value.as_of.isoformat()
    (tmp_path / shop.slug / day).mkdir(parents=True)
    cv.save_step(value, tmp_path / shop.slug / day)
    (tmp_path / shop.slug / "latest").write_text(day + "\n")
    saved = next((tmp_path / shop.slug / day).rglob("*.json"))
    saved.rename(tmp_path / shop.slug / day / "results.json")
    panel = cv.widgets.explore_clients(shop.folder.parent, reports=tmp_path)
    assert f"trust level: {value.trust.level}" in panel.said.value
    (tmp_path / shop.slug / day / "results.json").write_text("{")
    panel.state.ask()
    assert "No report yet" in panel.said.value
