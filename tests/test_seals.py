"""Seals know again what they were put on, on whatever processor; what was edited is refused."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import clvnb as cv
from clvnb.data.inputs import input_files, input_hash
from clvnb.satisfaction.baseline import OLDEST
from clvnb.satisfaction.step import is_sealed, seal_of
from helpers import ROOT

OLD = ROOT / "tests/golden/baseline_0_1_0.json"  # written by clvnb 0.1.0
PEOPLE = pd.DataFrame({"customer_id": ["a", "b", "c"], "clv": [10 / 3, 2.0, np.nan], "historic_value": [1.1, 2.2, 3.3],
                       "tier": ["A", "B", "C"], "segment": ["Loyal", "New", "New"]})  # fmt: skip
FORECAST = pd.DataFrame({"customer_id": ["a", "b", "c"], "margin_182": [0.1, 0.2, 0.3]})


def frozen(by: float = 1.0) -> cv.Baseline:
    """A baseline of everything it can hold, each of its figures a little off."""
    rows = {"date": pd.Timestamp("2025-05-01"), "wave": "2025-05", "metric": "csat", "scale_min": 1, "scale_max": 5}
    made = cv.baseline(
        pd.DataFrame({"score": [5, 4, 4, 2] * 25, **rows}), cv.satisfaction.metric_of("csat"), client="Tea", as_of="2025-06-30",
        weights=pd.Series(np.r_[np.full(50, 1.5), np.full(50, 0.5)]), population={"A": 300 / 7, "B": 600 / 7},
        customers=900, cut_points={"monetary": [10 / 3, 20 / 3]}, card={"model": "BG/NBD", "margin": 1 / 3, "n": 900},
        value={"customers": 900, "historic_value": 176465.8172714183, "residual_value": None},
        fingerprint=seal_of(PEOPLE, FORECAST), inputs="f00d",
    )  # fmt: skip
    return replace(made, **{k: moved(v, by) for k, v in vars(made).items()}).sealed()


def moved(value: Any, by: float) -> Any:
    if isinstance(value, float):
        return value * by
    if isinstance(value, dict):
        return {k: moved(v, by) for k, v in value.items()}
    return type(value)(moved(v, by) for v in value) if isinstance(value, list | tuple) else value


@pytest.mark.parametrize("by", [1 + 1e-16, 1 + 3e-16, 1 - 1e-13, 1 + 1e-9, 1 - 1e-9, 1 + 1e-6])
def test_no_figure_moves_which_baseline_it_is(by):
    assert frozen(by).hash == frozen().hash
    assert frozen().after(frozen(by)).hash == frozen().after(frozen()).hash


@pytest.mark.parametrize("figure", [1.0000000005, 123456789.5, 0.1 + 0.2, 2.5e-10])
def test_no_border_of_rounding_moves_it_either(figure):
    """A figure that lies on the border of a rounding goes one way on one processor and the other way on the next."""
    one, other = (cv.baseline(None, None, client="Tea", as_of="2025-06-30", value={"total": v})
                  for v in (np.nextafter(figure, 0), np.nextafter(figure, np.inf)))  # fmt: skip
    assert one.hash == other.hash


@pytest.mark.parametrize("other", [{"as_of": "2025-07-01"}, {"client": "Coffee"}, {"customers": 901}, {"inputs": "beef"}, {"cycle": 2},
                                   {"parent": "f00d"}, {"looks": ["2026-01-01"]}, {"weights": {"A": 1.0}}, {"answers": 99}])  # fmt: skip
def test_every_fact_moves_it(other):
    assert replace(frozen(), **other).sealed().hash != frozen().hash


def paths(value: Any, at: tuple = ()) -> list[tuple]:
    """The places of all values in a file."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    return [at] if inner is None else [p for k, v in inner for p in paths(v, (*at, k))]


def edited(raw: Any, at: tuple) -> Any:
    """The file with one value changed."""
    out = json.loads(json.dumps(raw))
    inside = out
    for key in at[:-1]:
        inside = inside[key]
    old = inside[at[-1]]
    inside[at[-1]] = (
        old + 1 if isinstance(old, int) else old * (1 + 1e-12) + 1e-12 if isinstance(old, float) else f"{old}x"
    )
    return out


@pytest.mark.parametrize("old", [False, True])
def test_each_edited_value_is_refused(tmp_path: Path, old: bool):
    file = OLD if old else frozen().save(tmp_path / "b.json")
    assert cv.Baseline.load(file).client == "Tea"
    raw = json.loads(file.read_text(encoding="utf-8"))
    for at in paths(raw):
        (tmp_path / "edited.json").write_text(json.dumps(edited(raw, at)), encoding="utf-8")
        with pytest.raises(cv.TableError, match="was changed after it was written|is newer"):
            cv.Baseline.load(tmp_path / "edited.json")
    for key in raw:
        (tmp_path / "edited.json").write_text(json.dumps({k: v for k, v in raw.items() if k != key}), encoding="utf-8")
        with pytest.raises(cv.TableError, match="was changed after|is not a baseline"):
            cv.Baseline.load(tmp_path / "edited.json")


def test_a_baseline_comes_back_from_its_file_to_the_last_digit(tmp_path: Path):
    made = frozen()
    assert cv.Baseline.load(made.save(tmp_path)) == made


def test_a_file_of_0_1_0_is_read_and_measured_against(tmp_path: Path):
    found = cv.Baseline.load(OLD)
    assert (found.format, found.estimate.value, found.inputs) == (OLDEST, 0.8, "")
    assert is_sealed(PEOPLE, FORECAST, found.fingerprint)
    assert not is_sealed(PEOPLE.assign(clv=1.0), FORECAST, found.fingerprint)
    assert cv.Baseline.load(found.save(tmp_path)) == found  # an open cycle goes on in the file of the next report
    follows = frozen().after(found)
    assert (follows.parent, follows.cycle) == (found.hash, 2)
    assert cv.Baseline.load(follows.save(tmp_path / "next.json")) == follows


def test_other_versions_say_what_to_do(tmp_path: Path):
    for change, said in (({"format": 99, "clvnb": "9.0"}, "written by clvnb 9.0, which is newer"),
                         ({"format": 1, "new": "key"}, "make that report again with --as-of 2025-06-30")):  # fmt: skip
        (tmp_path / "b.json").write_text(json.dumps(asdict(frozen()) | change), encoding="utf-8")
        with pytest.raises(cv.TableError, match=said):
            cv.Baseline.load(tmp_path / "b.json")


def test_customers_are_known_again_on_another_processor():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"customer_id": [f"{k}" for k in range(5_000)], "clv": rng.lognormal(3, 2, 5_000),
                          "historic_value": rng.lognormal(3, 2, 5_000), "tier": "A"})  # fmt: skip
    seal = cv.satisfaction.fingerprint(table, table.columns)
    last = table.assign(clv=table["clv"] * (1 + 1e-9 * rng.choice([-1, 1], 5_000))).sample(frac=1.0, random_state=1)
    assert cv.satisfaction.is_same_table(last, seal)
    assert json.loads(json.dumps(seal)) == seal
    swapped = table.assign(clv=table["clv"].iloc[::-1].to_numpy())
    one = table.assign(clv=table["clv"].where(table.index != 7, table["clv"] + 5))
    gone = table.assign(clv=table["clv"].where(table.index != 7))
    for other in (swapped, one, gone, table.iloc[1:], table.assign(tier="B"), table.drop(columns="tier")):
        assert not cv.satisfaction.is_same_table(other, seal)


def test_inputs_are_known_by_their_bytes_and_settings(make_client):
    folder = make_client()
    client = cv.Client.load(folder)
    first = input_hash(client)
    assert [f.name for f in input_files(client)] == ["orders.csv"]
    assert input_hash(cv.Client.load(folder)) == first
    assert input_hash(client.model_copy(update={"currency": "USD"})) != first
    with (folder / "orders.csv").open("a", encoding="utf-8") as file:
        file.write("zz,2024-01-01,3.5\n")
    assert input_hash(client) != first
