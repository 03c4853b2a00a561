"""Steps 2 and 3 as a client meets them: with surveys, without, with too few, and with surveys that mislead."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

import clvnb as cv
from helpers import small_orders


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Path:
    """A small shop valued once; what step 1 left lies in ``left``."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "orders.csv").write_text(small_orders(700, seed=5), encoding="utf-8")
    write(folder, {})
    left = folder / "left"
    left.mkdir()
    cv.save_step(cv.value_step(cv.Client.load(folder)), left)
    return folder


def write(folder: Path, more: dict) -> None:
    body = {
        "name": "acme",
        "currency": "EUR",
        "transactions": {"source": "orders.csv"},
        "economics": {"margin": 0.4},
    } | more
    (folder / "client.yaml").write_text(yaml.safe_dump(body), encoding="utf-8")


def ids(folder: Path) -> list[str]:
    return sorted(pd.read_parquet(folder / "left/customers.parquet")["customer_id"])


def asked(folder: Path, rows: pd.DataFrame, **more) -> tuple[cv.Client, Path]:
    rows.to_csv(folder / "surveys.csv", index=False)
    write(folder, {"surveys": {"source": "surveys.csv"}} | more)
    return cv.Client.load(folder), folder / "left"


def answers(who: list[str], scores, day: str = "2024-01-15", metric: str = "csat") -> pd.DataFrame:
    return pd.DataFrame({"customer_id": who, "date": day, "metric": metric, "score": scores})


def both(client: cv.Client, left: Path):
    return cv.satisfaction_step(client, output=left), cv.improve_step(client, output=left)


def test_without_a_survey_the_report_says_what_to_ask(shop):
    write(shop, {})
    measured, plan = both(cv.Client.load(shop), shop / "left")
    assert measured.base is None
    assert "nobody was asked" in measured.headline.text
    assert "from 1 to 5?" in measured.headline.text
    assert "invitations" in measured.headline.text
    assert plan.link.label == "assumption"
    assert "cannot tell what satisfaction does" in plan.headline.text
    assert len(plan.scenarios.table) > 5
    assert {"scenario", "ceiling", "cautious"} < set(
        plan.shown_guide.columns
    )  # the money stands beside the lever it belongs to


def test_five_answers_give_no_baseline(shop):
    measured, plan = both(*asked(shop, answers(ids(shop)[:5], [5, 4, 3, 5, 4])))
    assert measured.base is None
    assert "The last wave has 5 answers" in measured.headline.text
    assert plan.link.status == "too few"


def test_a_plain_survey_gives_a_baseline_and_a_plan(shop, tmp_path):
    rng = np.random.default_rng(0)
    who = ids(shop)[::2]
    client, left = asked(shop, answers(who, rng.integers(1, 6, len(who))))
    measured, plan = both(client, left)
    assert measured.base is not None
    assert measured.base.customers >= len(who)
    assert measured.base.card["horizon"] == "3 years"
    assert measured.scores["answers"].tolist() == [len(who)]
    assert plan.link.answers > 0
    for step in (measured, plan):
        cv.save_step(step, tmp_path)
    assert measured.base.hash == cv.Baseline.load(tmp_path).hash
    assert (tmp_path / "scenarios.parquet").is_file()


SURE = {"personal contact": {"cost_per_customer": 0.01, "idle": 0.0, "harmful": 0.0}}  # as a client may say of a lever


def test_the_budget_may_be_asked_for(shop):
    client, left = asked(shop, answers(ids(shop), 4), plan={"budget": 700.0, "levers": SURE})
    own, more = cv.improve_step(client, output=left), cv.improve_step(client, budget=300.0, output=left)
    assert (own.budget, more.budget) == (700.0, 300.0)
    assert own.plan.table["spend"].sum() <= 700
    assert more.plan.table["spend"].sum() <= 300
    assert "The budget is set by the client." in own.plan.text
    assert "The budget is as asked." in more.plan.text
    with pytest.raises(ValueError, match="budget must not be below 0"):
        cv.improve_step(client, budget=-1.0)


def test_the_list_is_what_the_next_cycle_reads(shop, tmp_path):
    """Saved, named in client.yaml as ``initiatives``, and read again."""
    cheap = {"levers": SURE}
    client, left = asked(shop, answers(ids(shop), 4), plan=cheap)
    plan = cv.improve_step(client, output=left)
    assert set(plan.targets.table["group"]) == {"treated", "holdout"}
    cv.save_step(plan, tmp_path)
    text = pd.read_csv(tmp_path / "target_list.csv", dtype=str)
    assert list(text.columns) == [
        "initiative",
        "start",
        "customer_id",
        "group",
        "cost",
        "planned",
        "seed",
        "segment",
        "gain",
    ]
    text.assign(start="2024-03-01").to_csv(
        shop / "initiatives.csv", index=False
    )  # it began before the day of the report
    client, left = asked(shop, answers(ids(shop), 4), initiatives={"source": "initiatives.csv"}, plan=cheap)
    again = cv.improve_step(client, output=left)
    assert "drawn at random" in again.invested.text  # so the plan's spending is held against value instead
    assert again.invested.table["share_of_spend"].sum() == pytest.approx(1)
    assert cv.satisfaction_step(client, output=left).starts["initiative"].tolist() == [
        plan.targets.table["initiative"].iloc[0]
    ]


def test_opted_out_customers_are_read_from_the_clients_folder(shop):
    (shop / "stop.txt").write_text("\n".join(ids(shop)[:300]), encoding="utf-8")
    cheap = SURE
    client, left = asked(shop, answers(ids(shop), 4), plan={"levers": cheap, "opt_outs": "stop.txt"})
    listed = cv.improve_step(client, output=left).targets.table["customer_id"]
    assert not set(listed) & set(ids(shop)[:300])
    client, left = asked(shop, answers(ids(shop), 4), plan={"opt_outs": "../stop.txt"})
    with pytest.raises(cv.ClientError, match=r"plan\.opt_outs: '\.\./stop\.txt': no such file in the client's folder"):
        cv.improve_step(client, output=left)


def test_wrong_figures_for_a_lever_name_file_and_key(shop):
    for levers, said in (({"faster reply": {"reach": 0.5}}, "there is no lever 'faster reply'"),
                         ({"faster replies": {"reach": 40}}, "reach is a share between 0 and 1, got 40"),
                         ({"faster replies": {"effects": {"satisfaction": 0.2}}}, "plan.levers")):  # fmt: skip
        client, left = asked(shop, answers(ids(shop), 4), plan={"levers": levers})
        with pytest.raises(cv.ClientError, match=rf"client\.yaml: plan\.levers: .*{said}|client\.yaml: {said}"):
            cv.improve_step(client, output=left)


def test_nps_on_another_scale_is_refused_in_words(shop):
    rows = answers(ids(shop)[:200], 9, metric="nps").assign(scale_min=1, scale_max=10)
    measured, _ = both(*asked(shop, rows))
    assert measured.base is None
    assert "NPS is defined on 0-10; these answers are on 1-10" in measured.headline.text


def test_a_scale_that_answers_contradict_gives_no_baseline(shop):
    rng = np.random.default_rng(0)
    measured, _ = both(*asked(shop, answers(ids(shop)[:300], rng.integers(1, 11, 300), metric="nps")))
    assert measured.base is None
    assert "Probably people were asked from 1 to 10" in measured.headline.text


def test_all_answers_alike(shop):
    measured, plan = both(*asked(shop, answers(ids(shop)[:300], 10, metric="nps")))
    assert "all of 300 answers are 10" in " ".join(f.text for f in measured.notes)
    assert measured.base.estimate.low < 100
    assert plan.link.status == "too few"


def test_answers_without_customers_count_and_cannot_be_joined(shop):
    measured, plan = both(*asked(shop, answers([""] * 60, [5, 4, 2] * 20)))
    assert measured.base.answers == 60
    assert measured.base.weights == {}
    assert "cannot be told" in measured.who_answered.text
    assert plan.link.label == "assumption"


def test_a_survey_that_cannot_be_read_is_an_error_that_names_it(shop):
    """A file that is missing, is no table, or lacks a column: nothing is reported as if nobody had been asked."""
    write(shop, {"surveys": {"source": "nowhere.csv"}})
    with pytest.raises(cv.ClientError, match=r"nowhere\.csv: no such file"):
        cv.satisfaction_step(cv.Client.load(shop), output=shop / "left")
    client, left = asked(shop, pd.DataFrame({"who": ["1"], "when": ["2"], "points": ["3"]}))
    for step in (cv.satisfaction_step, cv.improve_step):
        with pytest.raises(cv.TableError, match=r"surveys\.csv: has no column 'date' for date"):
            step(client, output=left)
    (shop / "surveys.csv").write_bytes(bytes(range(256)) * 20)
    with pytest.raises(cv.TableError, match=r"surveys\.csv"):
        cv.satisfaction_step(client, output=left)


def test_answers_of_no_use_are_a_sentence(shop):
    measured, plan = both(*asked(shop, answers(ids(shop)[:40], 11)))
    assert "no survey answer of 40 can be used (off the scale: 40)" in measured.headline.text
    assert plan.link.label == "assumption"


def test_where_nothing_can_be_predicted_there_is_no_plan_and_no_error(tmp_path):
    (tmp_path / "orders.csv").write_text(
        "customer_id,date,amount\n" + "".join(f"{k},2024-01-{k % 28 + 1:02d},10\n" for k in range(40))
    )
    write(tmp_path, {})
    client = cv.Client.load(tmp_path)
    plan = cv.improve_step(client)
    assert plan.base is None
    assert "No plan can be computed yet" in plan.headline.text
    assert cv.satisfaction_step(client).base is None


def test_hostile_survey_text_stays_text(shop, tmp_path):
    rows = answers(ids(shop)[:200], [1, 5] * 100).assign(comment="delivery <script>alert(1)</script> me@example.com")
    client, left = asked(shop, rows)
    measured = cv.satisfaction_step(client, output=left)
    assert "<script>" not in measured.themes._repr_html_()
    assert "example.com" not in measured.themes.table["example"].iloc[0]
