"""Tables as real libraries hand them over: whose connection they live on, exact money, days as periods, frames of others."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import ibis
import pandas as pd
import pyarrow as pa
import pytest

import clvnb as cv
from clvnb.core.engine import connection
from clvnb.data.client import Connection


def orders(n: int = 600) -> pd.DataFrame:
    days = [pd.Timestamp("2024-01-01") + pd.Timedelta(days=k % 300) for k in range(n)]
    return pd.DataFrame({"customer_id": [f"c{k % 50}" for k in range(n)], "date": days, "amount": 10.0})


def put(con, name: str, frame: pd.DataFrame) -> None:
    con.con.register("given", frame)
    con.raw_sql(f"CREATE TABLE {name} AS SELECT * FROM given")
    con.con.unregister("given")


def test_a_users_own_connection_is_not_taken_for_ours():
    ours = connection()
    other = pd.DataFrame({"customer_id": ["x"], "date": [date(2024, 1, 1)], "amount": [999_999.0]})
    put(ours, "orders_of_both", other)
    mine = ibis.duckdb.connect()
    put(mine, "orders_of_both", orders())
    try:
        checked = cv.check_transactions(mine.table("orders_of_both"))
        assert checked.kept.count().execute() == 600
        assert cv.summarize(checked.kept).count().execute() == 50
    finally:
        ours.raw_sql("DROP TABLE orders_of_both")


def test_exact_money_is_not_rounded_to_its_places():
    rows = [("a", date(2024, 1, 1) + timedelta(days=k), Decimal("10.01") + k) for k in range(8)]
    frame = pd.DataFrame(rows, columns=["customer_id", "date", "amount"])
    con = ibis.duckdb.connect()
    con.raw_sql("CREATE TABLE orders (customer_id VARCHAR, date DATE, amount DECIMAL(12, 2))")
    con.insert("orders", frame)
    exact = cv.summarize(con.table("orders"), margin=0.333).to_pandas()
    floats = cv.summarize(frame.assign(amount=frame["amount"].astype(float)), margin=0.333)
    decimals = cv.summarize(frame, margin=0.333)
    for found in (exact, decimals):
        assert found["monetary_value"][0] == pytest.approx(floats["monetary_value"][0], abs=1e-9)
        assert found["historic_value"][0] == pytest.approx(floats["historic_value"][0], abs=1e-9)
    cv.summarize(con.table("orders")).to_pyarrow()


def test_days_as_periods_are_days_and_longer_ones_are_refused():
    log = orders()
    days = cv.summarize(log.assign(date=log["date"].dt.to_period("D")))
    pd.testing.assert_frame_equal(days, cv.summarize(log))
    with pytest.raises(cv.TableError, match=r"periods of more than a day .*start_time"):
        cv.summarize(log.assign(date=log["date"].dt.to_period("M")))


class Dask:
    """What a Dask frame shows of itself."""

    columns = pd.Index(["customer_id", "date", "amount"])

    def compute(self):
        return orders()


@pytest.mark.parametrize("table", [pa.Table.from_pandas(orders()), Dask(), [1], None], ids=lambda t: type(t).__name__)
@pytest.mark.parametrize("ask", [cv.summarize, cv.check_transactions])
def test_frames_of_other_libraries_are_refused_in_words(table, ask):
    with pytest.raises(cv.TableError, match="must be a pandas DataFrame or an Ibis table, got"):
        ask(table)


def test_the_way_from_another_library_is_said():
    with pytest.raises(cv.TableError, match=r"got pyarrow\.Table; pass its \.to_pandas\(\)"):
        cv.summarize(pa.Table.from_pandas(orders()))


# ------------------------------------------------------------------------------------------- databases in files


def client_of(folder, url: str) -> cv.Client:
    folder.mkdir(exist_ok=True)
    (folder / "client.yaml").write_text(
        f"name: Tea\ncurrency: EUR\ntransactions: {{source: {{connection: '{url}', table: orders}}}}\n"
    )
    return cv.Client.load(folder)


def filled(path, engine) -> None:
    con = engine.connect(path)
    put(con, "orders", orders())
    con.disconnect()


@pytest.mark.parametrize(("name", "url"), [("shop.duckdb", "duckdb://shop.duckdb"), ("shop.duckdb", "shop.duckdb"),
                                           ("shop.duckdb", "duckdb://./shop.duckdb?threads=2")])  # fmt: skip
def test_a_relative_database_lies_beside_the_settings_and_is_only_read(tmp_path, monkeypatch, name, url):
    client = client_of(tmp_path / "shop", url)
    filled(tmp_path / "shop" / name, ibis.duckdb)
    monkeypatch.chdir("/")
    table = cv.read_transactions(client)
    assert table.count().execute() == 600
    (backend,) = table._find_backends()[0]
    with pytest.raises(Exception, match="read-only"):
        backend.raw_sql("DELETE FROM orders")


def test_sqlite_is_only_read(tmp_path):
    client = client_of(tmp_path / "shop", "sqlite://shop.db")
    con = ibis.sqlite.connect(tmp_path / "shop" / "shop.db")
    con.raw_sql("CREATE TABLE orders (customer_id TEXT, date DATE, amount REAL)").close()
    con.raw_sql("INSERT INTO orders VALUES ('a', '2024-01-01', 1)").close()
    con.con.commit()
    con.disconnect()
    table = cv.read_transactions(client)
    (backend,) = table._find_backends()[0]
    with pytest.raises(Exception, match="readonly"):
        backend.raw_sql("DELETE FROM orders")


@pytest.mark.parametrize("url", ["duckdb://shpo.duckdb", "sqlite://shpo.db", "shpo.duckdb"])
def test_a_mistyped_database_is_said_and_not_made(tmp_path, url):
    client = client_of(tmp_path / "shop", url)
    filled(tmp_path / "shop" / "shop.duckdb", ibis.duckdb)
    with pytest.raises(cv.TableError, match="no such database"):
        cv.read_transactions(client)
    assert sorted(p.name for p in (tmp_path / "shop").iterdir()) == ["client.yaml", "shop.duckdb"]


def test_what_is_no_file_stays_as_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for url in ("postgres://host/x.db", "duckdb://md:shop", "duckdb://:memory:", "pyspark://local"):
        assert Connection.checked(url, "t").connection == url
    assert (
        Connection.checked("duckdb://a.duckdb?threads=2", "t").connection == f"duckdb://{tmp_path}/a.duckdb?threads=2"
    )


@pytest.mark.parametrize(
    "key", ["access_token", "motherduck_token", "private_key", "credentials", "PASSWORD", "api_key"]
)
def test_secrets_of_any_name_are_refused_and_never_shown(tmp_path, monkeypatch, key):
    with pytest.raises(cv.ClientError, match="a password does not belong in a file") as said:
        client_of(tmp_path / "a", f"snowflake://host/db?{key}=s3cr3t")
    assert "s3cr3t" not in str(said.value)
    monkeypatch.setenv("KEY", "s3cr3t/1")
    place = Connection.checked(f"snowflake://host/db?{key}=${{KEY}}", "t")
    assert "s3cr3t" not in place.shown
    assert {"s3cr3t/1", "s3cr3t%2F1"} <= set(place.secrets())


# ------------------------------------------------------------------------------------------- workbooks, packed files


@pytest.mark.parametrize("filled_in", [False, True])
def test_formulas_that_hold_no_result_are_said(tmp_path, filled_in):
    from openpyxl import Workbook

    book = Workbook()
    book.active.append(["customer_id", "date", "amount"])
    for k in range(2, 30):
        book.active.append([f"c{k}", f"2024-01-{k:02d}", 5.0 if filled_in else f"=2.5*{k}"])
    book.create_sheet("notes").append(["=1+1"])  # what is not read may hold what it likes
    book.save(tmp_path / "orders.xlsx")
    if filled_in:
        assert cv.read_transactions(tmp_path / "orders.xlsx").count().execute() == 28
        return
    with pytest.raises(cv.TableError, match=r"formula in cell C2 holds no result.*save it once"):
        cv.read_transactions(tmp_path / "orders.xlsx")


def test_a_flipped_bit_in_a_packed_file_is_found(tmp_path):
    import gzip

    text = orders(3000).to_csv(index=False).encode()
    whole = gzip.compress(text, mtime=0)
    file = tmp_path / "orders.csv.gz"
    file.write_bytes(whole)
    assert cv.read_transactions(file).count().execute() == 3000
    for at in range(30, len(whole) - 4, len(whole) // 25):
        damaged = bytearray(whole)
        damaged[at] ^= 4
        file = tmp_path / f"orders_{at}.csv.gz"
        file.write_bytes(damaged)
        with pytest.raises(cv.TableError, match="cannot be unpacked"):
            cv.read_transactions(file)
