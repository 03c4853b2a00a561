"""Exports of shops and surveys, known by their columns; currencies; what is odd about a log that can be read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

import clvnb as cv
from clvnb.cli import app
from clvnb.core.engine import as_ibis, to_pandas
from clvnb.data.books import Books
from clvnb.data.exports import ORDERS, SURVEYS
from clvnb.data.proposal import client_yaml, propose_client, propose_survey
from clvnb.data.surveys import points
from clvnb.data.suspicions import suspicions

EXPORTS = Path(__file__).parent / "exports"

# What each file holds: lines used, their money, customers, and the first day in Berlin.
HELD = {
    "shopify": (4, 40 + (60 - 20 / 1.19) + 30 + 25.5, 2, "2024-02-01"),  # refunds hold the tax of 19 %
    "squarespace": (2, 45 + (45 - 20), 2, "2024-01-05"),
    "etsy": (2, (100 - 25) + (60 - 15), 2, "2024-01-15"),
    "ebay": (3, 28 + 16 + 1016, 2, "2024-01-05"),
    "woocommerce": (3, 30 + (50 - 10) + 20, 2, "2024-01-05"),
    "stripe": (3, 19 + 19 + (29 - 9), 2, "2024-02-01"),
    "square": (5, 12 + 15 + 28 - 14 + 36, 2, "2024-01-05"),
    "lightspeed": (3, 27 + 28 + 36, 2, "2024-01-05"),
}


def read(name: str, folder: Path, survey: str | None = None) -> cv.Client:
    folder.mkdir(exist_ok=True)
    proposal = propose_client(EXPORTS / f"{name}.csv", folder)
    answers = propose_survey(EXPORTS / f"{survey}.csv", folder) if survey else None
    text = client_yaml(
        proposal, name=name, currency=proposal.currency or "EUR", timezone="Europe/Berlin", margin=None, survey=answers
    )
    (folder / "client.yaml").write_text(text, encoding="utf-8")
    return cv.Client.load(folder)


def test_every_known_shop_has_an_example():
    assert {e.program.lower() for e in ORDERS} == set(HELD)


@pytest.mark.parametrize("name", HELD)
def test_a_known_shop_is_read_as_it_means(name, tmp_path):
    client = read(name, tmp_path)
    checked = Books(client).orders
    kept, (rows, money, customers, first) = to_pandas(checked.kept), HELD[name]
    assert len(kept) == rows
    assert kept["amount"].sum() == pytest.approx(money)
    assert kept["customer_id"].nunique() == customers
    assert kept["date"].min() == pd.Timestamp(first)
    account = checked.account.set_index("rule")
    assert account.loc["read", "rows"] == account.drop("read")["rows"].sum()


def test_no_address_leaves_the_reader(tmp_path):
    """Every table made from an export by e-mail address holds codes; the same person has one code, however it was typed."""
    checked = Books(read("shopify", tmp_path)).orders
    for part in (checked.kept, checked.rejected):
        assert not to_pandas(part).astype(str).apply(lambda c: c.str.contains("@")).any().any()
    assert to_pandas(checked.kept)["customer_id"].str.fullmatch("[0-9a-f]{16}").all()
    import hashlib

    assert hashlib.sha256(b"anna@example.org").hexdigest()[:16] in set(to_pandas(checked.kept)["customer_id"])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("surveymonkey", {"nps": [10, 7, 0, 9], "csat": [5, 3, 1, 4]}),
        ("typeform", {"ces": [6, 7, 2], "csat": [5, 4]}),
        ("google_forms", {"nps": [9, 3, 10], "ces": [5, 2, 4]}),
        ("delighted", {"nps": [9, 4]}),
    ],
)
def test_a_known_survey_is_read_as_it_means(name, expected, tmp_path):
    client = read("shopify", tmp_path, survey=name)
    kept = cv.check_survey(cv.read_survey(client)).kept
    for metric, scores in expected.items():
        assert kept.loc[kept["metric"] == metric, "score"].tolist() == scores
    assert set(kept["metric"]) == set(expected)
    assert kept["date"].dt.year.eq(2024).all()
    if name == "google_forms":  # five words of agreement are a scale of five, not the usual seven of effort
        assert kept.loc[kept["metric"] == "ces", "scale_max"].eq(5).all()
        shop = to_pandas(Books(client).orders.kept)
        assert set(kept["customer_id"]) & set(shop["customer_id"])  # the same codes on both sides


def test_every_known_survey_has_an_example():
    names = {e.program.lower().replace(" ", "_") for e in SURVEYS}
    assert names == {p.stem for p in EXPORTS.glob("*.csv")} - set(HELD)


def test_init_writes_the_survey_too(tmp_path):
    call = ["init", str(tmp_path / "tea"), "--transactions", str(EXPORTS / "shopify.csv"),
            "--survey", str(EXPORTS / "surveymonkey.csv")]  # fmt: skip
    done = CliRunner().invoke(app, call)
    assert done.exit_code == 0, done.output
    assert "An export of Shopify" in done.output
    assert "An export of SurveyMonkey" in done.output
    body = yaml.safe_load((tmp_path / "tea/client.yaml").read_text(encoding="utf-8"))
    assert set(body["surveys"]["questions"].values()) == {"nps", "csat"}


def test_answers_that_are_no_scale_are_named(tmp_path):
    (tmp_path / "a.csv").write_text("Timestamp,How satisfied are you?\n2024-01-05 10:00,green\n2024-01-06 10:00,blue\n")
    client = read("shopify", tmp_path)
    client = client.model_copy(update={"surveys": cv.Client.model_validate(
        {"name": "x", "currency": "EUR", "transactions": {"source": "x"},
         "surveys": {"source": "a.csv", "columns": {"date": "Timestamp"}, "questions": {"How satisfied are you?": "csat"}}}
    ).surveys})  # fmt: skip
    with pytest.raises(cv.TableError, match="such as 'blue'"):
        cv.read_survey(client)


def test_words_of_answers():
    seven = pd.Series(["Strongly agree", "Somewhat agree", "Neutral", "Disagree", None])
    score, low, high = points(seven)
    assert (low, high) == (1, 7)
    assert score.tolist()[:4] == [7, 5, 4, 2]
    assert points(pd.Series(["10 - sure", "3", "7,5"]))[0].tolist() == [10, 3, 7.5]


# ------------------------------------------------------------------------------------------- currencies

MIXED = pd.DataFrame(
    {
        "customer_id": list("aabbcd"),
        "date": ["2024-01-05", "2024-02-05", "2024-01-10", "2024-05-10", "2024-03-01", "2024-01-20"],
        "amount": [10.0, 20.0, 30.0, 40.0, 50.0, 60.0],
        "currency": ["EUR", "USD", "usd", "USD", None, "GBP"],
    }
)
RATES = pd.DataFrame(
    {"date": ["2024-01-01", "2024-02-01", "2024-01-15"], "currency": ["USD", "USD", "GBP"], "rate": [0.9, 0.95, 1.2]}
)


def settled(rates, **more):
    checked = cv.check_transactions(cv.read_transactions(MIXED), currency="EUR", rates=rates, max_loss=0.9, **more)
    return checked, checked.kept.sort_values(["customer_id", "date"])["amount"].tolist()


def test_rates_turn_amounts_into_the_clients_currency():
    assert settled({"USD": 0.5, "GBP": 2.0})[1] == pytest.approx([10, 10, 15, 20, 50, 120])


def test_a_rate_holds_until_the_next_one_and_for_a_month():
    checked, amounts = settled(RATES)
    assert amounts == pytest.approx([10, 20 * 0.95, 30 * 0.9, 50, 60 * 1.2])
    account = checked.account.set_index("rule")["rows"]
    assert account["no exchange rate for its currency and day"] == 1  # of 10 May: the last rate was of February
    assert account["read"] == account.drop("read").sum()
    assert "3 lines in" not in str(checked)
    assert "2 lines in USD, worth 46.00" in str(checked)


def test_margins_and_costs_are_turned_too():
    log = cv.read_transactions(MIXED.assign(cost=MIXED["amount"] / 2))
    kept = cv.check_transactions(log, currency="EUR", rates={"USD": 0.5, "GBP": 2.0}, max_loss=0.9).kept
    np.testing.assert_allclose(kept["cost"], kept["amount"] / 2)


def test_several_currencies_without_rates_are_refused_and_told_what_to_do():
    with pytest.raises(cv.TableError, match=r"rates: \{USD: 0.92\}"):
        cv.check_transactions(cv.read_transactions(MIXED), currency="EUR")


def test_rates_in_client_yaml(make_client):
    lines = MIXED.fillna("").to_csv(index=False)
    folder = make_client(lines, rates={"source": "rates.csv"})
    RATES.to_csv(folder / "rates.csv", index=False)
    assert to_pandas(Books(cv.Client.load(folder)).orders.kept)["amount"].sum() == pytest.approx(10 + 19 + 27 + 50 + 72)
    RATES.assign(rate=["0.9", "-1", "x"]).to_csv(folder / "rates.csv", index=False)
    with pytest.raises(cv.TableError, match=r"rates.csv: line 3: a rate needs"):
        _ = Books(cv.Client.load(folder)).orders
    fixed = cv.Client.load(make_client(lines, name="fixed", rates={"USD": 0.5, "GBP": 2.0}))
    assert to_pandas(Books(fixed).orders.kept)["amount"].sum() == pytest.approx(225)
    with pytest.raises(cv.ClientError, match="rates"):
        cv.Client.load(make_client(lines, name="wrong", rates={"USD": 0}))


# ------------------------------------------------------------------------------------------- suspicions


@pytest.fixture
def usual() -> pd.DataFrame:
    """Forty weeks of a shop where nothing is odd."""
    rng = np.random.default_rng(3)
    days = pd.date_range("2024-01-01", periods=280)
    day = rng.choice(days, 3000)
    return pd.DataFrame({"customer_id": [f"C{k:04d}" for k in rng.integers(0, 800, 3000)], "date": np.sort(day),
                         "amount": rng.gamma(4.0, 10.0, 3000).round(2)})  # fmt: skip


def odd(log: pd.DataFrame, **more: object) -> list[str]:
    found = suspicions(as_ibis(log), **more)
    return [] if found is None else found.table["check"].tolist()


def test_nothing_is_odd_about_a_usual_shop(usual):
    assert odd(usual) == []
    assert odd(usual, as_of=pd.Timestamp("2024-10-10").date()) == []


def test_what_is_odd_is_found_alone(usual):
    month = usual["date"]
    gap = usual[(month < "2024-04-01") | (month > "2024-04-20")]
    assert odd(gap) == ["gap"]
    assert odd(usual, as_of=pd.Timestamp("2025-03-01").date()) == ["stale"]
    cents = usual.assign(amount=usual["amount"].where(month < "2024-06-01", usual["amount"] * 100))
    assert odd(cents) == ["cents"]
    thin = pd.concat([usual[month < "2024-05-20"], usual[month >= "2024-05-20"].iloc[::4]])
    assert odd(thin) == ["jump"]
    big = pd.concat(
        [usual, pd.DataFrame({"customer_id": ["W1"] * 40, "date": usual["date"].iloc[::75], "amount": 1500.0})]
    )
    assert odd(big) == ["wholesale"]
    changed = usual.assign(
        customer_id=usual["customer_id"].where(month < "2024-06-01", "2024-" + usual["customer_id"].str[1:])
    )
    assert odd(changed) == ["ids"]
    tested = usual.assign(customer_id=usual["customer_id"].replace("C0007", "test-7"))
    assert odd(tested) == ["test accounts"]
    assert "test-7" in suspicions(as_ibis(tested)).text
    mailed = usual.assign(customer_id=usual["customer_id"] + "@example.org")
    assert odd(mailed) == ["contact data"]


def test_suspicions_stand_among_the_findings(usual):
    assert "To look at before" not in str(cv.check_transactions(usual))
    gap = usual[(usual["date"] < "2024-04-01") | (usual["date"] > "2024-04-20")]
    checked = cv.check_transactions(gap)
    assert "There is no order from 1 April 2024 to 20 April 2024, 20 days in a row." in str(checked)
    assert ">check</th>" in checked._repr_html_()
    assert checked._repr_html_().count("20 days in a row") == 1
    assert len(checked.kept) == len(gap)  # nothing is excluded for being odd


# ------------------------------------------------------------------------------ what exports hide


def checked_of(tmp_path, files: dict[str, str], settings: dict | None = None, **more: object) -> cv.Checked:
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    source = {"source": "o.csv" if len(files) == 1 else "orders-*.csv", "max_loss": 0.9} | (settings or {})
    body = {"name": "X", "currency": "EUR", "transactions": source} | more
    (tmp_path / "client.yaml").write_text(yaml.safe_dump(body), encoding="utf-8")
    return Books(cv.Client.load(tmp_path)).orders


def test_a_later_file_says_what_became_of_an_order(tmp_path):
    head = "order_id,customer_id,date,amount,status\n"
    files = {
        "orders-1.csv": head + "1,a,2024-01-05,100,paid\n2,b,2024-01-06,50,paid\n3,c,2024-01-07,30,paid\n",
        "orders-2.csv": head
        + "1,a,2024-01-05,60,partly refunded\n3,c,2024-02-01,-30,refund\n3,c,2024-02-01,-30,refund\n",
    }
    columns = {n: n for n in ("order_id", "customer_id", "date", "amount", "status")}
    checked = checked_of(tmp_path, files, {"columns": columns})
    kept = to_pandas(checked.kept)
    assert kept["amount"].sum() == pytest.approx(60 + 50 + 30 - 30)
    account = checked.account.set_index("rule")["rows"]
    assert account["order that a later file holds again"] == 1
    assert account["repeated row of the same order"] == 1


def test_lines_that_differ_in_a_column_not_used_are_two(tmp_path):
    text = "order_id,customer_id,date,amount,sku\n1,a,2024-01-05,10,T1\n1,a,2024-01-05,10,T2\n1,a,2024-01-05,10,T2\n"
    columns = {n: n for n in ("order_id", "customer_id", "date", "amount")}
    assert to_pandas(checked_of(tmp_path, {"o.csv": text}, {"columns": columns}).kept)["amount"].tolist() == [10, 10]
    whole = checked_of(tmp_path, {"o.csv": text}, {"columns": columns, "amount_of": "order"})
    assert to_pandas(whole.kept)["amount"].tolist() == [10]


def test_what_cannot_be_read_of_a_refund_leaves_no_amount(tmp_path):
    text = "customer_id,date,amount,back\na,2024-01-05,10,4\nb,2024-01-05,10,EUR -4 refunded\nc,2024-01-05,10,\n"
    columns = {"customer_id": "customer_id", "date": "date", "amount": "amount", "refunded": "back"}
    checked = checked_of(tmp_path, {"o.csv": text}, {"columns": columns})
    assert sorted(to_pandas(checked.kept)["amount"]) == [6, 10]
    assert checked.account.set_index("rule").loc["amount unreadable", "rows"] == 1


def test_nobody_is_no_customer_and_no_number_no_amount(tmp_path):
    text = "customer_id,date,amount\nNULL,2024-01-05,10\na,2024-01-05,5\nNone,2024-01-06,1\n"
    checked = checked_of(tmp_path, {"o.csv": text})
    assert checked.account.set_index("rule").loc["customer missing", "rows"] == 2
    frame = pd.DataFrame(
        {"customer_id": ["a", "b"], "date": pd.to_datetime(["2024-01-05"] * 2), "amount": [1.0, np.nan]}
    )
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(
        pa.Table.from_pandas(frame).set_column(2, "amount", pa.array([1.0, float("nan")])), tmp_path / "o.parquet"
    )
    checked = cv.check_transactions(cv.read_transactions(tmp_path / "o.parquet"), max_loss=0.9)
    assert checked.account.set_index("rule").loc["amount unreadable", "rows"] == 1


def test_a_code_says_more_than_a_sign(tmp_path):
    text = "customer_id,date,amount\na,2024-01-05,$10.00 CAD\nb,2024-01-05,$12.00 USD\n"
    with pytest.raises(cv.TableError, match="2 currencies, such as CAD and USD"):
        checked_of(tmp_path, {"o.csv": text}, currency="USD")


def test_a_title_of_two_lines_in_one_cell_costs_no_row(tmp_path):
    rows = "".join(f"c{k},2024-01-{k + 1:02d},5.00\n" for k in range(20))
    checked = checked_of(tmp_path, {"o.csv": '"Orders\nof May",,\ncustomer_id,date,amount\n' + rows})
    assert checked.account["rows"].iloc[0] == 20
    assert to_pandas(checked.kept)["customer_id"].nunique() == 20


def test_times_with_an_offset_and_days_without_a_time(tmp_path):
    text = "customer_id,date,amount\na,05/01/2024 23:30 -0500,5\n"
    checked = checked_of(tmp_path, {"o.csv": text}, {"date_format": "%d/%m/%Y %H:%M %z"}, timezone="America/New_York")
    assert to_pandas(checked.kept)["date"].tolist() == [pd.Timestamp("2024-01-05")]
    days = pd.DataFrame({"customer_id": ["a", "b"], "amount": [1.0, 2.0],
                         "date": pd.to_datetime(["2024-01-05 00:00", "2024-01-05 02:00"])})  # fmt: skip
    days.to_parquet(tmp_path / "d.parquet")
    checked = checked_of(tmp_path, {}, {"source": "d.parquet", "dates_in": "UTC"},
                         timezone="America/New_York")  # fmt: skip
    kept = to_pandas(checked.kept).set_index("customer_id")["date"]
    assert kept.to_dict() == {"a": pd.Timestamp("2024-01-05"), "b": pd.Timestamp("2024-01-04")}


def test_a_sheet_that_mixes_numbers_and_commas(tmp_path):
    sheet = pd.DataFrame({"customer_id": ["a", "b", "c"], "date": ["2024-01-05"] * 3, "amount": ["12,50", 127.885, 3]})
    sheet.to_excel(tmp_path / "o.xlsx", index=False)
    checked = checked_of(tmp_path, {}, {"source": "o.xlsx", "decimal": ",", "thousands": "."})
    assert sorted(to_pandas(checked.kept)["amount"]) == [3, 12.5, 127.885]


def test_objects_are_no_ids(tmp_path):
    line = '{"customer": {"id": 1, "email": "a@example.org"}, "date": "2024-01-05", "total": 5}\n'
    (tmp_path / "o.jsonl").write_text(line)
    with pytest.raises(cv.TableError, match="holds objects"):
        propose_client(tmp_path / "o.jsonl", tmp_path)


def test_rules_that_fit_no_row_are_said(tmp_path):
    text = "customer_id,date,amount,status\na,2024-01-05,5,Test\n"
    columns = {n: n for n in ("customer_id", "date", "amount", "status")}
    checked = checked_of(tmp_path, {"o.csv": text}, {"columns": columns, "exclude": {"status": ["test"]}})
    assert "no row is like that" in str(checked)


def test_answers_with_words_on_their_ends_and_on_other_scales():
    raw = pd.DataFrame(
        {"date": ["2024-01-05"] * 4, "metric": ["nps"] * 4, "score": ["Extremely likely - 10", "9", "0 = never", "5"]}
    )
    assert cv.read_survey(raw)["score"].tolist() == [10, 9, 0, 5]
    worded = raw.assign(metric="csat", score=["Very satisfied", "Satisfied", "Neutral", "Extremely dissatisfied"])
    read = cv.read_survey(worded)
    assert read["score"].tolist() == [5, 4, 3, 1]
    ten = raw.assign(metric="csat", score=["10", "9", "8", "2"])
    with pytest.raises(cv.TableError, match=r"csat 0-10"):
        cv.check_survey(cv.read_survey(ten))


def test_two_questions_of_a_kind_in_a_form(tmp_path):
    form = "Timestamp,who,How satisfied are you?,How satisfied are you with delivery?\n2024-01-05 10:00,a,9,2\n"
    (tmp_path / "a.csv").write_text(form)
    surveys = {"source": "a.csv", "columns": {"date": "Timestamp", "customer_id": "who"},
               "questions": {"How satisfied are you?": "csat 0-10", "How satisfied are you with delivery?": "csat"}}  # fmt: skip
    body = {"name": "X", "currency": "EUR", "transactions": {"source": "o.csv"}, "surveys": surveys}
    (tmp_path / "client.yaml").write_text(yaml.safe_dump(body, sort_keys=False))
    kept = cv.check_survey(cv.read_survey(cv.Client.load(tmp_path))).kept
    assert kept["score"].tolist() == [9, 2]
    assert kept["scale_max"].tolist() == [10, 5]
    assert kept["attribute"].isna().tolist() == [True, False]


@pytest.mark.parametrize(
    "url",
    [
        "postgres://u:s3cr/et@h/d",
        "postgres://u:s3c@ret@h/d",
        "postgres://h/d?user=u&password=s3cret",
        "host=h password=s3cret",
    ],
)
def test_no_password_is_taken_or_shown(url, make_client):
    folder = make_client(transactions={"source": {"connection": url, "table": "t"}})
    with pytest.raises(cv.ClientError, match="does not belong in a file") as error:
        cv.Client.load(folder)
    assert not any(part in str(error.value) for part in ("s3c", "et@h", "ret@"))


def test_days_as_whole_numbers_in_a_typed_file(tmp_path):
    frame = pd.DataFrame({"customer": ["a", "b"], "date": [20240105, 20240206], "total": [1.5, 2.5]})
    frame.to_parquet(tmp_path / "o.parquet")
    assert propose_client(tmp_path / "o.parquet", tmp_path).settings["date_format"] == "%Y%m%d"


def test_a_refund_of_an_order_that_is_excluded_is_no_refund(tmp_path):
    text = "order_id,customer_id,date,amount,status\n1,a,2024-01-05,100,test\n1,a,2024-01-06,-100,ok\n2,b,2024-01-05,5,ok\n"
    columns = {n: n for n in ("order_id", "customer_id", "date", "amount", "status")}
    checked = checked_of(tmp_path, {"o.csv": text}, {"columns": columns, "exclude": {"status": ["test"]}})
    assert to_pandas(checked.kept)["amount"].tolist() == [5]
    assert checked.account.set_index("rule").loc["refund without a purchase", "rows"] == 1


def test_orders_that_repeat_their_total_count_once_in_two_files_too(tmp_path):
    head = "order_id,customer_id,date,amount,sku\n"
    files = {
        "orders-1.csv": head + "1,a,2024-01-05,100,T1\n1,a,2024-01-05,100,T2\n2,b,2024-01-06,50,T1\n",
        "orders-2.csv": head + "1,a,2024-01-05,80,T1\n1,a,2024-01-05,80,T2\n",
    }
    columns = {n: n for n in ("order_id", "customer_id", "date", "amount")}
    checked = checked_of(tmp_path, files, {"columns": columns, "amount_of": "order"})
    assert sorted(to_pandas(checked.kept)["amount"]) == [50, 80]
    assert checked.account["rows"].iloc[0] == checked.account["rows"].iloc[1:].sum() == 5
