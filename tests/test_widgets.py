"""A slider moved is a function called: the answer follows, and an impossible setting says why."""

from __future__ import annotations

import pandas as pd
import pytest

import clvnb as cv
from clvnb.words import Words

EUR = Words("EUR")


@pytest.fixture
def base() -> cv.Base:
    rows = {"segment": ["best", "rest"], "customers": [200, 800], "active": [0.9, 0.5], "retention": [0.8, 0.6], "frequency": [6.0, 2.0],
            "basket": [60.0, 40.0], "margin": 0.4, "cost_to_serve": 2.0, "clv": [220.0, 25.0]}  # fmt: skip
    return cv.Base(pd.DataFrame(rows), 3.0, 0.1)


def test_calculator_follows_its_sliders():
    box = cv.explore_clv(words=EUR)
    assert "€367" in box.answer.value
    box.controls["retention"].value = 0.7
    assert "€275" in box.answer.value  # 100 * 1.1 / 0.4
    box.controls["raised"].value = 0.5
    assert "Raising" not in box.answer.value


def test_scenario_explorer_gives_what_the_function_gives(base):
    scenario = next(s for s in cv.lever_library(base) if s.name == "personal contact")
    box = cv.explore_scenario(base, scenario, words=EUR)
    first = box.answer.value
    box.controls["fixed_cost"].value = 1000
    assert box.answer.value != first
    picture = box.children[-1]
    assert bytes(picture.value).startswith(b"\x89PNG")
    before = bytes(picture.value)
    box.controls["frequency"].value = 0.05
    assert bytes(picture.value) != before


def test_allocation_slider(base):
    gains = cv.segment_gains(base, cv.lever_library(base), link=cv.prior_link())
    box = cv.explore_allocation(gains, 500, words=EUR)
    expected = cv.allocate(gains, 1000, words=EUR).text
    box.controls["budget"].value = 1000
    assert expected.replace("'", "&#x27;") in box.answer.value
    box.controls["cautious"].value = True
    assert cv.allocate(gains, 1000, cautious=True, words=EUR).text.replace("'", "&#x27;") in box.answer.value


def test_sample_size_planner():
    box = cv.explore_sample_size(share=0.8, customers=500, words=EUR)
    assert "906" in box.answer.value
    assert "could not be seen" in box.answer.value
    box.controls["customers"].value = 10_000
    assert "could be seen" in box.answer.value
    box.controls["share"].value = 0.95
    box.controls["change"].value = 0.3
    assert "<p>" in box.answer.value


def test_without_a_plan_a_panel_says_so():
    assert "no plan to turn" in cv.explore_scenario(None, None).value
    assert "nothing to divide" in cv.explore_allocation(pd.DataFrame(), 100).value
