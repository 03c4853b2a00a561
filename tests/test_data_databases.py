"""The same numbers from a PostgreSQL server, by a user who may only read, and from Spark, as from the embedded engine."""

from __future__ import annotations

import time
from contextlib import suppress

import numpy as np
import pandas as pd
import psycopg
import pytest
import yaml

import clvnb as cv
from clvnb.core.engine import to_pandas
from clvnb.data.books import Books
from clvnb.data.client import Client
from guide import Run, short_guide
from servers import Server, postgres_programs, postgres_server

PLACE = "postgres://reader:${SHOP_PASSWORD}@127.0.0.1:%d/postgres"
OWN = {"line", "line_kind", "date_text", "amount_text", "amount_sign"}  # what reading adds


def orders(name: str) -> pd.DataFrame:
    """The orders of an example client, as a database would hold them: typed, and nothing excluded yet."""
    log = to_pandas(cv.read_transactions(cv.load_sample(name)))
    return log[[c for c in log.columns if c not in OWN]]


def settled(client: Client) -> tuple[pd.DataFrame, dict[str, float], pd.DataFrame]:
    """The account, the parameters and the CLV table of a client, computed where its orders lie."""
    economics = client.economics
    checked = Books(client).orders
    summary = cv.summarize(
        checked.kept, as_of=client.as_of, margin=economics.margin_rate, cost_to_serve=economics.cost_to_serve
    )
    purchases, spend = cv.MBGNBD().fit(summary), cv.GammaGamma().fit(summary)
    table = to_pandas(cv.clv_table(summary, purchases, spend, economics))
    parameters = {**purchases.params_, **spend.params_}
    return checked.account, parameters, table.sort_values("customer_id", ignore_index=True)


@pytest.fixture(scope="module")
def embedded() -> dict:
    return {name: settled(cv.load_sample(name)) for name in ("cdnow", "shop")}


def assert_same(found, expected) -> None:
    for frame, other in ((found[0], expected[0]), (found[2], expected[2])):
        pd.testing.assert_frame_equal(frame[other.columns], other, check_dtype=False, rtol=1e-9)
    np.testing.assert_allclose(list(found[1].values()), list(expected[1].values()), rtol=1e-9)


def assert_golden(summary, golden) -> None:
    for name, model in (("bgnbd", cv.BGNBD), ("paretonbd", cv.ParetoNBD)):
        fitted = model().fit(summary)
        found = fitted.estimates(unit="week").set_index("parameter")["estimate"]
        for parameter, value in golden[name]["params"].items():
            assert found[parameter] == pytest.approx(value, rel=1e-5)


def settings_of(name: str, source: dict) -> dict:
    """An example's client.yaml, with its orders in a database."""
    body = yaml.safe_load((cv.load_sample(name).folder / "client.yaml").read_text(encoding="utf-8"))
    rules = {k: v for k, v in body["transactions"].items() if k in {"exclude", "refunds"}}
    kept = {k: body[k] for k in ("name", "kind", "currency", "timezone", "as_of", "economics") if k in body}
    return kept | {"transactions": {"source": source, **rules}}


# ------------------------------------------------------------------------------------------- PostgreSQL


@pytest.fixture(scope="module")
def server():
    programs = postgres_programs()
    if programs is None:
        pytest.skip("PostgreSQL's server is not installed here (Debian: apt-get install postgresql)")
    with postgres_server(programs) as server:
        _fill(server)
        yield server


def _fill(server: Server) -> None:
    with server.connect() as con:
        con.execute("create schema sales")
        for name in ("cdnow", "shop"):
            log = orders(name)
            kinds = {"date": "date", "amount": "double precision"}
            columns = ", ".join(f"{c} {kinds.get(c, 'text')}" for c in log.columns)
            con.execute(f"create table sales.{name} ({columns})")
            with con.cursor().copy(f"copy sales.{name} from stdin") as copy:
                for row in log.assign(date=log["date"].dt.date).itertuples(index=False):
                    copy.write_row([None if pd.isna(v) else v for v in row])
        con.execute("create table hidden (customer_id text, date date, amount numeric)")
        con.execute("create table moments (customer_id int, date timestamptz, amount numeric(10, 2))")
        con.execute("insert into moments values (7, '2024-01-31 23:30Z', 10.10), (7, '2024-03-01 12:00Z', 0.20)")
        con.execute("create table typed_in (customer_id text, date text, amount numeric)")
        con.execute("create role reader login password 'r/e@d:er' nosuperuser nocreatedb nocreaterole")
        con.execute("alter role reader set default_transaction_read_only = on")
        con.execute("revoke all on database postgres from public")
        con.execute("revoke all on schema public from public")
        con.execute("grant connect on database postgres to reader")
        con.execute("grant usage on schema sales, public to reader")
        con.execute("grant select on sales.cdnow, sales.shop, moments, typed_in to reader")


@pytest.fixture
def in_postgres(server, tmp_path, monkeypatch):
    """Write a client whose orders lie in the server; its user's password is in the environment alone."""
    monkeypatch.setenv("SHOP_PASSWORD", "r/e@d:er")

    def make(table: str, like: str = "cdnow", place: str = PLACE, **changes: object) -> Client:
        place = place % server.port if "%d" in place else place
        body = settings_of(like, {"connection": place, "table": table}) | changes
        (tmp_path / "client.yaml").write_text(yaml.safe_dump(body), encoding="utf-8")
        return Client.load(tmp_path)

    return make


@pytest.mark.parametrize("name", ["cdnow", "shop"])
def test_postgres_gives_the_embedded_engines_numbers(name, in_postgres, server, embedded):
    client = in_postgres(f"sales.{name}", like=name)
    checked = Books(client).orders
    economics = client.economics
    assert checked.kept.get_backend().name == "postgres"
    summary = to_pandas(
        cv.summarize(
            checked.kept, as_of=client.as_of, margin=economics.margin_rate, cost_to_serve=economics.cost_to_serve
        )
    ).sort_values("customer_id", ignore_index=True)
    purchases, spend = cv.MBGNBD().fit(summary), cv.GammaGamma().fit(summary)
    table = cv.clv_table(summary, purchases, spend, economics)
    assert_same((checked.account, {**purchases.params_, **spend.params_}, table), embedded[name])


def test_a_server_that_may_only_be_read_forecasts_many_customers(in_postgres, server):
    """Of 23,570 customers some are looked at; the server need not take their names as a table."""
    found = []
    for client in (in_postgres("sales.cdnow"), cv.load_sample("cdnow")):
        books = Books(client)
        summary = to_pandas(cv.summarize(books.orders.kept, as_of=client.as_of))
        summary = summary.sort_values("customer_id", ignore_index=True)
        found.append(cv.forecast_purchases(books.orders.kept, horizon=182, as_of=client.as_of, summary=summary))
    assert found[0].purchases == pytest.approx(found[1].purchases, rel=1e-6)
    pd.testing.assert_frame_equal(found[0].tests, found[1].tests, rtol=1e-6)


def test_golden_numbers_from_postgres(in_postgres, golden, sample_log, server):
    """The numbers of the papers, from the sample of CDNOW that they used, its days collapsed by the server."""
    with server.connect() as con:
        con.execute("create table if not exists sales.sample (customer_id text, date date, amount double precision)")
        con.execute("truncate sales.sample")
        with con.cursor().copy("copy sales.sample from stdin") as copy:
            for row in sample_log.itertuples(index=False):
                copy.write_row([row.customer_id, row.date.date(), row.amount])
        con.execute("grant select on sales.sample to reader")
    checked = Books(in_postgres("sales.sample", as_of="1997-09-30")).orders
    assert_golden(cv.summarize(checked.kept, as_of="1997-09-30"), golden)


def test_a_clv_table_is_made_in_the_server_where_it_lends_room(in_postgres, server, embedded, monkeypatch):
    """The owner may have temporary tables, so the table of a million customers need not leave the database."""
    monkeypatch.setenv("SHOP_PASSWORD", server.password)
    place = PLACE.replace("reader", "owner")
    assert_same(settled(in_postgres("sales.shop", like="shop", place=place)), embedded["shop"])


def test_a_day_ends_at_the_clients_midnight(in_postgres):
    """23:30 in London is the next day in Berlin: the server is asked for the clock of the client's wall."""
    for zone, day in (("UTC", "2024-01-31"), ("Europe/Berlin", "2024-02-01"), ("America/New_York", "2024-01-31")):
        summary = to_pandas(cv.summarize(Books(in_postgres("moments", timezone=zone)).orders.kept))
        assert summary["first_date"].iloc[0] == pd.Timestamp(day)
        assert summary["historic_revenue"].iloc[0] == pytest.approx(10.3)


def test_what_a_database_refuses_is_said_without_the_password(in_postgres, monkeypatch, tmp_path):
    from clvnb.core.errors import ClvnbError

    def said(table: str = "sales.shop", **more: object) -> str:
        with pytest.raises(ClvnbError) as error:
            _ = Books(in_postgres(table, **more)).orders
        assert "r/e@d:er" not in str(error.value)
        return str(error.value)

    assert "did you mean 'shop'" in said("sales.shopp")
    assert "permission denied" in said("hidden")
    assert "make a view" in said("typed_in")
    assert "cannot be reached" in said(place="postgres://reader:${SHOP_PASSWORD}@127.0.0.1:1/postgres")
    plain = said(place="postgres://reader:secret@127.0.0.1:1/postgres")
    assert "write ${DB_PASSWORD}" in plain
    assert "secret" not in plain
    monkeypatch.setenv("SHOP_PASSWORD", "wrong/one")
    wrong = said()
    assert "authentication failed" in wrong
    assert "wrong" not in wrong
    monkeypatch.delenv("SHOP_PASSWORD")
    assert "export SHOP_PASSWORD" in said()


def test_a_report_waits_for_a_database_that_restarts(in_postgres, server, tmp_path):
    guide = short_guide(tmp_path / "guide")
    in_postgres("sales.cdnow", name="cdnow")
    run = Run(guide, tmp_path, "--out", "out", cwd=tmp_path)
    with (
        suppress(psycopg.OperationalError),
        server.connect() as con,
        con.transaction(),
    ):  # the run reads, and has to wait
        con.execute("lock table sales.cdnow")
        asked = "select count(*) from pg_stat_activity where usename = 'reader' and wait_event_type = 'Lock'"
        with server.connect() as other:
            while not other.execute(asked).fetchone()[0] and run.process.poll() is None:
                time.sleep(0.05)
        server.stop()
    time.sleep(1)
    server.start()
    status, _, said = run.end(180)
    assert status == 0, said
    (log,) = (tmp_path / "out").glob("*/report.log")
    assert "done" in log.read_text()
    assert "tries: 2" in log.read_text()


@pytest.mark.parametrize(("amounts", "days"), [("money", "date"), ("float8", "date"), ("numeric", "timestamptz")])
def test_money_and_days_without_end_as_postgres_has_them(in_postgres, server, amounts, days):
    with server.connect() as con:
        con.execute("drop table if exists odd")
        con.execute(f"create table odd (customer_id text, date {days}, amount {amounts})")
        con.execute(
            f"insert into odd select 'c' || k, date '2024-01-01' + k, (k + 0.25)::numeric::{amounts} from generate_series(1, 40) k"
        )
        con.execute(
            f"insert into odd values ('y', 'infinity', 5::numeric::{amounts}), ('z', '-infinity', 5::numeric::{amounts})"
        )
        if amounts != "money":
            con.execute("insert into odd values ('x', '2024-02-02', 'infinity')")
        con.execute("grant select on odd to reader")
    checked = Books(in_postgres("odd", as_of="2024-06-30")).orders
    account = checked.account.set_index("rule")
    assert account.loc["kept", ["rows", "money"]].tolist() == [40, 830.0]
    assert account.loc["date unreadable", ["rows", "money"]].tolist() == [2, 10.0]
    assert account.loc["read", "money"] == 840.0
    assert to_pandas(checked.kept)["amount"].max() == 40.25


def test_init_looks_at_a_table(in_postgres, server, tmp_path):
    from typer.testing import CliRunner

    from clvnb.cli import app

    place = PLACE % server.port
    call = ["init", str(tmp_path / "shop"), "--connection", place, "--table", "sales.shop", "--currency", "EUR"]
    done = CliRunner().invoke(app, call)
    assert done.exit_code == 0, done.output
    assert "r/e@d:er" not in done.output
    written = yaml.safe_load((tmp_path / "shop/client.yaml").read_text(encoding="utf-8"))
    assert written["transactions"]["source"] == {"connection": place, "table": "sales.shop"}
    assert written["transactions"]["columns"]["order_id"] == "order_id"
    assert Books(Client.load(tmp_path / "shop")).orders.account["rows"].iloc[0] == 19_783
    both = CliRunner().invoke(app, ["init", str(tmp_path / "a"), "--connection", place])
    assert both.exit_code == 2
    secret = CliRunner().invoke(
        app, ["init", str(tmp_path / "b"), "--connection", "postgres://a:hunter2@h/d", "--table", "t"]
    )
    assert isinstance(secret.exception, cv.ClvnbError)
    assert "hunter2" not in str(secret.exception)


def test_an_address_has_the_same_code_in_every_engine(in_postgres, server):
    import hashlib

    source = {"connection": PLACE % server.port, "table": "sales.shop"}
    client = in_postgres("sales.shop", transactions={"source": source, "hash_ids": True})
    kept = to_pandas(Books(client).orders.kept)
    ids = to_pandas(Books(in_postgres("sales.shop", like="shop")).orders.kept)["customer_id"]
    assert set(kept["customer_id"]) >= {hashlib.sha256(i.lower().encode()).hexdigest()[:16] for i in ids}


def test_a_reader_leaves_nothing_behind(in_postgres, server):
    count = "select count(*) from pg_class where relkind in ('r', 'v', 'm')"
    with server.connect() as con:
        before = con.execute(count).fetchone()
        settled_summary = cv.summarize(Books(in_postgres("sales.cdnow")).orders.kept)
        cv.BGNBD().fit(settled_summary)
        assert con.execute(count).fetchone() == before


# ------------------------------------------------------------------------------------------------ Spark


@pytest.fixture(scope="module")
def spark():
    """Spark on this machine, through Ibis."""
    pytest.importorskip("pyspark", reason="pyspark is not installed: pip install 'clvnb[spark]'")
    import shutil

    if shutil.which("java") is None:
        pytest.skip("Spark needs Java 17 (Debian: apt-get install openjdk-17-jre-headless)")
    import ibis
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    builder = builder.config("spark.driver.bindAddress", "127.0.0.1").config("spark.driver.host", "127.0.0.1")
    builder = builder.config("spark.sql.session.timeZone", "America/New_York")  # must not matter
    quick = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"  # Java's second compiler costs more than such small tables repay
    builder = builder.config("spark.driver.extraJavaOptions", quick)
    session = builder.config("spark.sql.shuffle.partitions", "2").getOrCreate()
    yield ibis.pyspark.connect(session)
    session.stop()


@pytest.mark.spark
@pytest.mark.filterwarnings("ignore")  # pyspark's, about the newest pandas
@pytest.mark.parametrize("name", ["cdnow", "shop"])
def test_spark_gives_the_embedded_engines_numbers(name, spark, tmp_path, embedded):
    log = orders(name)
    log.assign(date=log["date"].dt.date).to_parquet(tmp_path / "orders.parquet")
    spark.create_view(f"{name}_orders", spark.read_parquet(str(tmp_path / "orders.parquet")), overwrite=True)
    body = settings_of(name, {"connection": "pyspark://", "table": f"{name}_orders"})
    (tmp_path / "client.yaml").write_text(yaml.safe_dump(body), encoding="utf-8")
    client = Client.load(tmp_path)
    assert Books(client).orders.kept.get_backend().name == "pyspark"
    assert_same(settled(client), embedded[name])


@pytest.mark.spark
@pytest.mark.filterwarnings("ignore")
def test_a_day_ends_at_the_clients_midnight_in_spark(spark, tmp_path):
    moments = pd.DataFrame({"customer_id": ["7", "7"], "amount": [10.1, 0.2],
                            "date": pd.to_datetime(["2024-01-31 23:30Z", "2024-03-01 12:00Z"])})  # fmt: skip
    # What a clock showed is not moved; an instant is.
    for name, dates, day in (
        ("clock", moments["date"].dt.tz_localize(None), "2024-01-31"),
        ("instant", moments["date"], "2024-02-01"),
    ):
        moments.assign(date=dates).to_parquet(tmp_path / f"{name}.parquet")
        table = spark.read_parquet(str(tmp_path / f"{name}.parquet"))
        log = cv.read_transactions(table, timezone="Europe/Berlin")
        summary = to_pandas(cv.summarize(cv.check_transactions(log).kept))
        assert summary["first_date"].iloc[0] == pd.Timestamp(day)


@pytest.mark.spark
@pytest.mark.filterwarnings("ignore")
def test_golden_numbers_from_spark(spark, tmp_path, golden, sample_log):
    sample_log[["customer_id", "date", "amount"]].assign(date=sample_log["date"].dt.date).to_parquet(
        tmp_path / "s.parquet"
    )
    log = cv.read_transactions(spark.read_parquet(str(tmp_path / "s.parquet")))
    assert_golden(cv.summarize(cv.check_transactions(log, as_of="1997-09-30").kept, as_of="1997-09-30"), golden)
