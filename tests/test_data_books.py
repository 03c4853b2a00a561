"""A client's books: each source is opened and checked once, whichever steps ask, and every step asks the same question."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

import clvnb as cv
from clvnb.data import books as of_books
from clvnb.data import sources
from clvnb.data.books import Books, books_of, leave_books
from clvnb.improve.initiatives import gather
from helpers import small_orders


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A shop that names every source; of its last wave 300 answers are NPS and 30 are CSAT."""
    place = tmp_path_factory.mktemp("acme")
    orders = small_orders(700, seed=5)
    (place / "orders.csv").write_text(orders, encoding="utf-8")
    who = sorted({line.split(",")[0] for line in orders.splitlines()[1:]})
    rng = np.random.default_rng(0)
    nps = pd.DataFrame(
        {"customer_id": who[:300], "date": "2024-01-15", "metric": "nps", "score": rng.integers(0, 11, 300)}
    )
    csat = pd.DataFrame(
        {"customer_id": who[300:330], "date": "2024-01-15", "metric": "csat", "score": rng.integers(1, 6, 30)}
    )
    pd.concat([nps, csat]).to_csv(place / "surveys.csv", index=False)
    cases = {"customer_id": who[:40], "opened_at": "2024-01-02 10:00", "first_response_at": "2024-01-02 12:00"}
    pd.DataFrame(cases).to_csv(place / "service.csv", index=False)
    drawn = {"initiative": "call", "start": "2024-02-01", "customer_id": who[:200], "planned": 0.5}
    pd.DataFrame(drawn | {"group": ["treated", "holdout"] * 100}).to_csv(place / "initiatives.csv", index=False)
    pd.DataFrame({"channel": ["ads"], "amount": [900], "new_customers": [100]}).to_csv(place / "ads.csv", index=False)
    named = {
        "surveys": {"source": "surveys.csv"},
        "service": {"source": "service.csv", "columns": {c: c for c in cases}},
        "initiatives": {"source": "initiatives.csv"},
        "acquisition": {"source": "ads.csv"},
    }
    body = {"name": "acme", "currency": "EUR", "economics": {"margin": 0.4}, "transactions": {"source": "orders.csv"}}
    (place / "client.yaml").write_text(yaml.safe_dump(body | named), encoding="utf-8")
    return place


@pytest.fixture
def seen(monkeypatch) -> Counter:
    """What was opened and checked, and how often: the readers themselves run."""
    counted: Counter = Counter()

    def counting(module, name, key):
        real = getattr(module, name)

        def run(*given, **more):
            counted[key(given)] += 1
            return real(*given, **more)

        monkeypatch.setattr(module, name, run)

    counting(sources, "open_source", lambda given: given[0].source)
    counting(of_books, "check_transactions", lambda _: "orders checked")
    return counted


def steps_of(folder: Path, left: Path) -> list:
    """The four steps of a report as its notebooks call them, each with a client of its own."""
    first = cv.value_step(cv.Client.load(folder))
    cv.save_step(first, left)
    made = [first]
    for step in (cv.satisfaction_step, cv.improve_step, cv.remeasure_step):
        made.append(step(cv.Client.load(folder), output=left))
        cv.save_step(made[-1], left)
    return made


@pytest.fixture(scope="module")
def left(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("left")


def test_a_report_opens_each_source_once_and_checks_the_orders_once(folder, left, seen):
    made = steps_of(folder, left)
    assert all(step.worth.books is made[0].books for step in made[1:])
    named = ("orders.csv", "surveys.csv", "service.csv", "initiatives.csv", "ads.csv", "orders checked")
    assert seen == dict.fromkeys(named, 1)


def test_every_step_follows_the_question_with_most_answers(folder, left):
    """300 answers to NPS and 30 to CSAT: what is reported is what is linked and what is followed."""
    books = Books(cv.Client.load(folder))
    assert cv.satisfaction_step(books, output=left).metric.name == "nps"
    plan = cv.improve_step(books, output=left)
    assert plan.link.answers > 30
    assert gather(plan.worth).metric.name == "nps"


def test_books_are_shared_only_while_client_day_and_files_are_the_same(folder, left, tmp_path):
    books = Books(cv.Client.load(folder))
    leave_books(books, left)
    same = cv.Client.load(folder)
    assert books_of(same, output=left) is books
    assert books_of(same, output=tmp_path) is not books
    assert books_of(same, "2024-01-31", left) is not books
    assert books_of(same.model_copy(update={"currency": "USD"}), output=left) is not books
    (folder / "surveys.csv").touch()
    assert books_of(same, output=left) is not books


def test_books_of_another_day_are_others(folder):
    books = Books(cv.Client.load(folder))
    assert books.on(books.as_of) is books
    assert books.on(pd.Timestamp("2024-01-31").date()).as_of.isoformat() == "2024-01-31"


def test_a_survey_in_a_file_keeps_its_customers_and_is_no_order(tmp_path):
    (tmp_path / "answers.csv").write_text("customer_id,date,metric,score\na,2025-01-07,csat,4\n,2025-01-08,csat,5\n")
    read = cv.read_survey(tmp_path / "answers.csv")
    assert read["customer_id"].tolist()[0] == "a"
    assert not [c for c in read.columns if c.startswith(("amount", "_no"))]
    with pytest.raises(TypeError, match="unexpected setting 'margin'"):
        cv.read_survey(tmp_path / "answers.csv", margin=0.4)
