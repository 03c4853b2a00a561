"""Reading, checking and summarizing orders: every row accounted for, hand-worked summaries, bad input refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import clvnb as cv
from clvnb.core.engine import as_ibis, connection

COLUMNS = {"customer_id": "who", "date": "when", "amount": "how_much"}


def orders(rows: list[tuple], columns=("customer_id", "date", "amount", "order_id")) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=list(columns)[: len(rows[0])])
    return frame.assign(date=pd.to_datetime(frame["date"]))


# ------------------------------------------------------------------------------------------- reading


@pytest.mark.parametrize(
    ("text", "decimal", "thousands", "number"),
    [
        ("12.50", ".", "", 12.5), ("1,234.50", ".", ",", 1234.5), ("1.234,50 €", ",", ".", 1234.5),
        ("€1 234,50", ",", " ", 1234.5), ("(12.50)", ".", "", -12.5), ("12.50-", ".", "", -12.5),
        ("-$12.50", ".", "", -12.5), ("1'234.5", ".", "'", 1234.5), ("EUR 7", ".", "", 7.0), ("1e3", ".", "", 1000.0),
        ("abc", ".", "", None), ("1.23.4", ",", ".", None), ("12,50", ".", "", None), ("", ".", "", None),
        ("1,23", ".", ",", None), ("0x10", ".", "", None), ("1 2", ".", "", None),
    ],
)  # fmt: skip
def test_amounts_are_read_as_written_or_not_at_all(text, decimal, thousands, number):
    raw = pd.DataFrame({"who": ["a"], "when": ["2024-01-31"], "how_much": [text]})
    read = cv.read_transactions(raw, columns=COLUMNS, decimal=decimal, thousands=thousands)["amount"].iloc[0]
    assert pd.isna(read) if number is None else read == number


@pytest.mark.parametrize(
    ("text", "pattern", "zone", "day"),
    [
        ("2024-01-31", None, "UTC", "2024-01-31"), ("2024-01-31 23:59", None, "Asia/Tokyo", "2024-01-31"),
        ("2024-01-31T23:30:00Z", None, "Europe/Bucharest", "2024-02-01"),
        ("2024-01-31 23:30:00 +0200", None, "UTC", "2024-01-31"), ("2024-01-01T00:30:00+02:00", None, "UTC", "2023-12-31"),
        ("31.01.2024", "%d.%m.%Y", "UTC", "2024-01-31"),
        ("31.01.24", "%d.%m.%Y", "UTC", None),
        ("31.01.24", "%d.%m.%y", "UTC", "2024-01-31"), ("19970101", "%Y%m%d", "UTC", "1997-01-01"),
        ("2024-02-30", None, "UTC", None), ("31/01/2024", None, "UTC", None), ("yesterday", None, "UTC", None),
        ("", None, "UTC", None),
    ],
)  # fmt: skip
def test_dates_are_the_clients_days(text, pattern, zone, day):
    raw = pd.DataFrame({"who": ["a"], "when": [text], "how_much": ["1"]})
    read = cv.read_transactions(raw, columns=COLUMNS, date_format=pattern, timezone=zone)["date"].iloc[0]
    assert pd.isna(read) if day is None else read == pd.Timestamp(day)


def test_typed_frames_are_read_too():
    raw = pd.DataFrame(
        {"who": [12345.0, np.nan], "when": pd.to_datetime(["2024-01-31T23:30Z"] * 2), "how_much": [1, 2]}
    )
    log = cv.read_transactions(raw, columns=COLUMNS, timezone="Europe/Berlin")
    assert log["customer_id"].iloc[0] == "12345"
    assert pd.isna(log["customer_id"].iloc[1])
    assert (log["date"] == pd.Timestamp("2024-02-01")).all()


def test_files_of_several_kinds_read_alike(tmp_path):
    frame = pd.DataFrame({"who": ["007", "8"], "when": ["2024-01-31", "2024-02-01"], "how_much": ["1.5", "2"]})
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_csv(tmp_path / "b.tsv", index=False, sep="\t")
    frame.to_csv(tmp_path / "c.txt", index=False, sep=";")
    frame.to_parquet(tmp_path / "d.parquet")
    frame.to_excel(tmp_path / "e.xlsx", index=False)
    for file in sorted(tmp_path.iterdir()):
        log = cv.read_transactions(file, columns=COLUMNS).to_pandas().sort_values("line")
        assert log["customer_id"].tolist() == ["007", "8"], file.name
        assert log["amount"].tolist() == [1.5, 2.0], file.name


def test_several_files_by_glob(tmp_path):
    for month in ("01", "02"):
        (tmp_path / f"orders-{month}.csv").write_text(f"who,when,how_much\na,2024-{month}-05,3\n")
    log = cv.read_transactions(tmp_path / "orders-*.csv", columns=COLUMNS).to_pandas()
    assert sorted(log["date"].dt.month) == [1, 2]


@pytest.mark.parametrize(
    ("content", "name", "says"),
    [
        ("", "orders.csv", "the file is empty"),
        ("a,b\n1,2\n", "orders.csv", "has no column 'who' for customer_id"),
        ("x", "orders.pdf", "files ending in .pdf are not read"),
    ],
)
def test_unusable_files_are_refused_by_name(tmp_path, content, name, says):
    (tmp_path / name).write_text(content)
    with pytest.raises(cv.ClvnbError, match=says) as error:
        cv.read_transactions(tmp_path / name, columns=COLUMNS)
    assert name in str(error.value)


def test_a_broken_line_far_down_is_an_error_that_names_it(tmp_path):
    rows = [f"c{k},2024-01-05,{k}.5" for k in range(60_000)]
    rows[50_000] += ",stray,words"
    (tmp_path / "orders.csv").write_text("who,when,how_much\n" + "\n".join(rows) + "\n")
    with pytest.raises(cv.TableError, match="orders.csv: cannot be read as a table.*Line: 50002"):
        cv.read_transactions(tmp_path / "orders.csv", columns=COLUMNS)


def test_a_missing_file_names_its_neighbours(tmp_path):
    (tmp_path / "orders.csv").write_text("a,b\n")
    with pytest.raises(cv.ClientError, match="did you mean 'orders.csv'"):
        cv.read_transactions(str(tmp_path / "order.csv"), columns=COLUMNS)


# ------------------------------------------------------------------------------------------ checking


def test_every_row_has_one_rule():
    raw = pd.DataFrame(
        [
            ("a", "2024-01-01", "10", "1", "ok"), ("a", "2024-01-01", "10", "1", "ok"), ("", "2024-01-02", "5", "2", "ok"),
            ("b", "2024-02-30", "5", "3", "ok"), ("b", "2024-01-05", "five", "4", "ok"), ("c", "2024-01-06", "-3", "5", "ok"),
            ("d", "2024-01-07", "7", "6", "test"), ("e", "2999-01-01", "7", "7", "ok"), ("a", "2024-06-01", "4", "8", "ok"),
        ],
        columns=["who", "when", "how_much", "order_no", "status"],
    )  # fmt: skip
    log = cv.read_transactions(raw, columns=COLUMNS | {"order_id": "order_no", "status": "status"})
    checked = cv.check_transactions(log, exclude={"status": ["test"]}, as_of="2024-03-31", max_loss=0.9)
    assert dict(checked.rejected.groupby("rule").size()) == {
        "repeated row of the same order": 1, "customer missing": 1, "date unreadable": 1, "amount unreadable": 1,
        "refund without a purchase": 1, "excluded by client.yaml": 1, "dated in the future": 1, "after the as-of date": 1,
    }  # fmt: skip
    assert checked.kept["customer_id"].tolist() == ["a"]
    account = checked.account.set_index("rule")
    assert account.loc["read", "rows"] == len(raw) == account["rows"].iloc[1:].sum()
    assert account.loc["read", "money"] == pytest.approx(account["money"].iloc[1:].sum())
    assert "line 5: customer b, date 2024-02-30" in str(checked)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "c", None]),
            st.sampled_from(["2024-01-01", "2024-01-02", "2024-05-05", "never", None]),
            st.sampled_from(["1", "2.5", "0", "-1", "-2.5", "x", None]),
            st.sampled_from(["o1", "o2", None]),
        ),
        min_size=1,
        max_size=25,
    )
)
def test_rows_and_money_always_add_up(rows):
    raw = pd.DataFrame(rows, columns=["who", "when", "how_much", "no"], dtype=object)
    log = cv.read_transactions(raw, columns=COLUMNS | {"order_id": "no"})
    try:
        checked = cv.check_transactions(log, max_loss=1.0)
    except cv.TableError as error:
        assert "no row of" in str(error)  # noqa: PT017
        return
    assert len(checked.kept) + len(checked.rejected) == len(raw)
    account = checked.account
    assert account["rows"].iloc[1:].sum() == len(raw)
    money = account["money"].iloc[0] * (2 if "line of totals" in set(account["rule"]) else 1)  # it adds up all others
    assert money == pytest.approx(pd.to_numeric(raw["how_much"], errors="coerce").sum())
    summary = cv.summarize(checked.kept)
    assert summary["historic_revenue"].sum() == pytest.approx(checked.kept["amount"].sum()) or (
        # all that a customer bought was taken back the same day: no purchase is left to count
        set(summary["customer_id"]) < set(checked.kept["customer_id"])
    )


def test_two_lines_that_add_up_each_other_are_no_totals():
    rows = [
        ("a", "2024-01-01", "0", "o1"),
        ("a", "2024-01-01", "0", "o1"),
        ("a", "never", "1", "o1"),
        (None, "2024-01-01", "1", "o1"),
    ]
    raw = pd.DataFrame(rows, columns=["who", "when", "how_much", "no"], dtype=object)
    account = cv.check_transactions(
        cv.read_transactions(raw, columns=COLUMNS | {"order_id": "no"}), max_loss=1.0
    ).account
    assert account["money"].iloc[0] == 2.0
    assert {"customer missing", "date unreadable"} <= set(account["rule"])


def test_too_much_loss_stops():
    log = orders([("a", "2024-01-01", 1.0), (None, "2024-01-01", 1.0)])
    with pytest.raises(cv.TableError, match=r"1 of 2 rows \(50%\) would be lost, more than the allowed 35%"):
        cv.check_transactions(log)


def test_currencies_are_never_added_up():
    log = orders([("a", "2024-01-01", 1.0), ("a", "2024-01-02", 1.0)]).assign(currency=["EUR", "USD"])
    with pytest.raises(cv.TableError, match="2 currencies"):
        cv.check_transactions(log)
    kept = cv.check_transactions(log, exclude={"currency": ["USD"]}, max_loss=0.9).kept
    assert len(kept) == 1


def test_refunds_count_on_the_day_of_their_order():
    log = orders([("a", "2024-01-01", 50.0, "1"), ("a", "2024-01-10", 30.0, "2"), ("a", "2024-01-20", -30.0, "2")])
    netted = cv.summarize(cv.check_transactions(log).kept, as_of="2024-01-31")
    assert netted[["frequency", "purchases", "historic_revenue"]].iloc[0].tolist() == [0, 1, 50.0]
    dropped = cv.check_transactions(log, refunds="drop")
    assert cv.summarize(dropped.kept)["historic_revenue"].iloc[0] == 80.0
    assert dropped.rejected["rule"].tolist() == ["refund"]


def test_wrong_settings_name_themselves():
    log = orders([("a", "2024-01-01", 1.0)])
    with pytest.raises(ValueError, match="refunds must be 'net' or 'drop', got 'keep'"):
        cv.check_transactions(log, refunds="keep")
    with pytest.raises(cv.TableError, match="did you mean 'amounts'"):
        cv.check_transactions(log.rename(columns={"amount": "amounts"}))
    with pytest.raises(cv.TableError, match="which the log lacks"):
        cv.check_transactions(log, exclude={"status": ["x"]})


# ---------------------------------------------------------------------------------------- summarizing


def test_hand_worked_summary():
    log = orders(
        [("a", "2024-01-01", 10.0), ("a", "2024-01-11", 20.0), ("a", "2024-01-11", 4.0), ("a", "2024-01-31", 6.0),
         ("b", "2024-01-05", 8.0)]
    ).assign(channel=["x", "y", "y", "y", "z"])  # fmt: skip
    summary = cv.summarize(log, as_of="2024-02-10", margin=0.5, cost_to_serve=1.0)
    expected = pd.DataFrame(
        {
            "customer_id": ["a", "b"], "frequency": [2, 0], "recency": [30, 0], "T": [40, 36],
            "monetary_value": [15.0, np.nan], "log_gaps": [np.log(10) + np.log(20), 0.0],
            "days_since_last": [10, 36], "purchases": [3, 1],
            "historic_revenue": [40.0, 8.0], "first_spend": [10.0, 8.0], "historic_value": [17.0, 3.0],
            "first_date": pd.to_datetime(["2024-01-01", "2024-01-05"]),
            "last_date": pd.to_datetime(["2024-01-31", "2024-01-05"]), "channel": ["x", "z"],
        }
    )  # fmt: skip
    pd.testing.assert_frame_equal(summary, expected, check_dtype=False)


def test_margin_and_cost_columns_come_before_the_rate():
    log = orders([("a", "2024-01-01", 10.0)])
    assert cv.summarize(log.assign(margin=3.0), margin=0.5)["historic_value"].item() == 3.0
    assert cv.summarize(log.assign(cost=4.0), margin=0.5)["historic_value"].item() == 6.0


def test_summary_of_the_cdnow_sample(sample_summary, sample_log):
    """Counts of the calibration period that the published fits rest on (peers' golden data)."""
    assert len(sample_summary) == 2357
    assert sample_summary["frequency"].sum() == 2457
    assert (sample_summary["frequency"] > 0).sum() == 946
    assert sample_summary["frequency"].max() == 29
    assert sample_summary["T"].min() == 27 * 7
    assert sample_summary["T"].max() == 272
    assert len(sample_summary.drop_duplicates(["frequency", "recency", "T"])) == 1016
    first = sample_summary.set_index("customer_id").loc["0001"]
    assert first[["frequency", "recency", "T", "monetary_value"]].tolist() == pytest.approx([2, 213, 272, 22.345])
    _, later = cv.split_log(sample_log, "1997-09-30")
    assert len(later.drop_duplicates(["customer_id", "date"])) == 1882


def test_engine_and_pandas_agree(sample_log):
    plain = cv.summarize(sample_log, as_of="1998-06-30")
    there = cv.summarize(as_ibis(sample_log), as_of="1998-06-30").to_pandas().sort_values("customer_id")
    pd.testing.assert_frame_equal(plain, there.reset_index(drop=True), check_dtype=False, check_exact=False, rtol=1e-12)


def test_later_rows_do_not_leak(sample_log):
    early = cv.summarize(cv.split_log(sample_log, "1997-09-30")[0], as_of="1997-09-30")
    same = cv.summarize(sample_log, as_of="1997-09-30")
    pd.testing.assert_frame_equal(early, same)


def test_permutation_and_splitting(sample_log):
    mixed = cv.summarize(sample_log.sample(frac=1, random_state=4), as_of="1998-06-30")
    whole = cv.summarize(sample_log, as_of="1998-06-30")
    pd.testing.assert_frame_equal(mixed, whole, check_exact=False, rtol=1e-12)
    halves = [sample_log[sample_log["customer_id"] < "1200"], sample_log[sample_log["customer_id"] >= "1200"]]
    parts = pd.concat([cv.summarize(h, as_of="1998-06-30") for h in halves], ignore_index=True)
    pd.testing.assert_frame_equal(parts, whole, check_exact=False, rtol=1e-12)


def test_inputs_stay_as_they_came(sample_log):
    before = sample_log.copy(deep=True)
    cv.summarize(cv.check_transactions(sample_log).kept)
    pd.testing.assert_frame_equal(before, sample_log)


def test_margin_out_of_range():
    with pytest.raises(ValueError, match="margin is a share"):
        cv.summarize(orders([("a", "2024-01-01", 1.0)]), margin=-0.2)


def test_a_day_that_is_none():
    for day in ("abc", "2024-13-45"):
        with pytest.raises(cv.TableError, match="is not a day: write it as 2025-06-30"):
            cv.summarize(orders([("a", "2024-01-01", 1.0)]), as_of=day)


def test_a_refund_wholly_taken_back_is_a_purchase_nowhere():
    """Summary, tracking and cohorts count by one definition."""
    log = orders([("a", "2024-01-01", 50.0, "1"), ("a", "2024-01-10", 30.0, "2"), ("a", "2024-02-20", -30.0, "2"),
                  ("b", "2024-01-03", 20.0, "3"), ("b", "2024-02-05", -20.0, "3"), ("c", "2024-01-04", 9.0, "4"),
                  ("c", "2024-02-08", 9.0, "5")])  # fmt: skip
    kept = cv.check_transactions(log).kept
    summary = cv.summarize(kept, as_of="2024-03-31")
    assert summary.set_index("customer_id")["frequency"].to_dict() == {"a": 0, "c": 1}
    model = cv.BGNBD.with_params(r=0.3, alpha=30.0, a=0.5, b=2.0)
    assert cv.tracking(kept, model, as_of="2024-03-31")["actual"].iloc[-1] == summary["frequency"].sum()
    matrix = cv.cohort_matrix(kept, what="revenue", as_of="2024-03-31")
    assert cv.cohort_matrix(kept, what="customers", as_of="2024-03-31")[0].sum() == len(summary)
    assert np.nansum(matrix.to_numpy()) == summary["historic_revenue"].sum()


def test_a_later_refund_does_not_reach_back_over_a_split():
    log = orders([("a", "2024-01-01", 50.0, "1"), ("a", "2024-01-10", 30.0, "2"), ("a", "2024-02-20", -30.0, "2")])
    kept = cv.check_transactions(log).kept
    early, late = cv.split_log(kept, "2024-01-31")
    assert cv.summarize(early, as_of="2024-01-31")["frequency"].item() == 1
    assert len(early) + len(late) == len(log)


def test_a_log_stays_in_the_callers_own_database():
    """Ibis calls two in-memory DuckDBs equal; clvnb's own must not be read in place of the caller's (findings/)."""
    import ibis

    log = "SELECT * FROM (VALUES ('a', DATE '2024-01-31', {0}), ('b', DATE '2024-02-01', {0})) v(customer_id, date, amount)"
    theirs = ibis.duckdb.connect()
    theirs.raw_sql("CREATE TABLE orders AS " + log.format("5.0::DOUBLE"))
    connection().raw_sql("CREATE TABLE orders AS " + log.format("100.0::DOUBLE"))
    try:
        kept = cv.check_transactions(theirs.table("orders"), as_of="2024-12-31").kept
        assert kept.to_pandas()["amount"].tolist() == [5.0, 5.0]
        assert cv.summarize(kept, as_of="2024-12-31").to_pandas()["historic_revenue"].tolist() == [5.0, 5.0]
    finally:
        connection().raw_sql("DROP TABLE orders")
