"""The right amount from an export that no list knows, or a question; each input is small enough to add up by hand."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

import clvnb as cv
from clvnb.cli import app
from clvnb.core.engine import to_pandas
from clvnb.data.begin import Begun, begin_client
from clvnb.data.books import Books
from clvnb.data.formulas import names_in
from clvnb.data.roles import role_of
from clvnb.data.statuses import meaning_of_status


def begun(tmp_path: Path, text: str, name: str = "orders.csv", **settings: object) -> Begun:
    (tmp_path / name).write_text(text, encoding="utf-8")
    return begin_client(tmp_path / "shop", tmp_path / name, **settings)


def kept(one: Begun) -> pd.DataFrame:
    """The orders that ``begin_client`` kept by the client.yaml that it wrote."""
    return to_pandas(one.files[0][1].kept)


def worth(one: Begun) -> float:
    return round(float(kept(one)["amount"].sum()), 2)


# name: the file, what it is worth, and whether something is asked
FILES = {
    "price times count": (
        "Invoice,StockCode,Quantity,InvoiceDate,Price,Customer ID\n"
        "489434,A1,12,2024-12-01 07:45:00,6.95,13085.0\n489434,A2,24,2024-12-01 07:45:00,2.10,13085.0\n"
        "489435,A1,10,2025-01-05 09:00:00,6.75,13086.0\nC489449,A1,-4,2025-01-06 10:33:00,6.95,13085.0\n",
        83.40 + 50.40 + 67.50 - 27.80, False),
    "price times count less discount, in German": (
        "Kundennummer;Bestelldatum;Bestellnummer;Artikel;Menge;Einzelpreis;Rabatt\n"
        "K1;05.01.2024;1;Tee;3;4,50;1,50\nK2;25.01.2024;2;Tasse;2;10,00;\nK1;28.01.2024;3;Tee;1;4,50;0,00\n",
        12 + 20 + 4.5, True),
    "a total that is price times count, in French": (
        "N° client;Date de commande;N° commande;Produit;Quantité;Prix unitaire;Montant\n"
        "1;2024-01-05;1;Thé;3;4,50;13,50\n2;2024-01-25;2;Tasse;2;10,00;20,00\n", 33.5, False),
    "the order's total on each line": (
        "order_id,customer,date,product,total\n1,a,2024-01-01,Tea,30\n1,a,2024-01-01,Cup,30\n2,b,2024-01-02,Tea,12\n"
        "3,a,2024-02-02,Tea,40\n3,a,2024-02-02,Cup,40\n3,a,2024-02-02,Pot,40\n", 82, True),
    "the order's total on each line, told by arithmetic": (
        "order_id,customer,date,product,qty,price,total\n1,a,2024-01-01,Tea,2,10,30\n1,a,2024-01-01,Cup,1,10,30\n"
        "2,b,2024-01-02,Tea,1,12,12\n3,a,2024-02-02,Tea,2,5,40\n3,a,2024-02-02,Cup,3,10,40\n", 82, True),
    "tax and shipping in a total beside a subtotal": (
        "Order,Customer,Date,Subtotal,Shipping,Tax,Total\n1,a,2024-01-05,100,5,19,124\n2,b,2024-01-06,100,6.90,19,125.90\n", 200, False),
    "tax and shipping in a total alone": (
        "Order,Customer,Date,Shipping,Tax,Total\n1,a,2024-01-05,5,19,124\n2,b,2024-01-06,6.90,19,125.90\n", 200, True),
    "a discount between two totals": (
        "Order,Customer,Date,Order Value,Discount Amount,Shipping,Order Total\n"
        "1,a,2024-01-05,100,25,5,80\n2,a,2024-01-16,40,0,5,45\n3,b,2024-01-17,60,15,5,50\n", 75 + 40 + 45, False),
    "amounts in two currencies, and all of them in one": (
        "order,customer,date,amount,currency,amount_eur\n1,a,2024-01-05,20,EUR,20\n2,b,2024-01-06,20,USD,18\n3,a,2024-01-07,30,EUR,30\n", 68, True),
    "a count called count": ("order_id,customer_id,date,Count,Price\n1,a,2024-01-05,1,12.5\n2,b,2024-01-06,2,14\n3,a,2024-01-07,3,10\n", 70.5, False),
    "a price per night": (
        "order_id,customer_id,date,Nights,Price per night\n1,a,2024-01-05,1,12.5\n2,b,2024-01-06,2,14\n3,a,2024-01-07,3,10\n", 70.5, False),
    "a discount called disc %": (
        "order_id,customer_id,date,quantity,unit_price,Disc %\n1,a,2024-01-05,2,10,0\n2,b,2024-01-06,2,10,10\n3,a,2024-01-07,4,10,25\n", 68, True),
    "gross sales beside discounts": (
        "Receipt,Customer ID,Date,Gross Sales,Discounts\n1,a,2024-01-05,100,10\n2,b,2024-01-09,80,0\n3,a,2024-02-09,60,6\n", 224, True),
    "a total of count times price beside a discount": (
        "order,customer,date,Item Total,Quantity,Price,Discount Amount\n1,a,2024-01-05,120,2,60,12\n2,b,2024-01-06,120,1,120,0\n3,a,2024-02-05,180,3,60,18\n",
        390, True),
    "a price with tax, and the tax": (
        "order_id,customer_id,date,quantity,unit price incl. VAT,VAT\n1,a,2024-01-05,2,60,20\n2,b,2024-01-06,1,120,20\n3,a,2024-02-05,3,60,30\n", 350, True),
    "net sales after returns": (
        "Date,Transaction,Customer,Gross Sales,Returns,Net Sales,Tax,Total\n2024-01-09,t1,a,100,0,100,20,120\n2024-01-10,t2,b,80,-30,50,10,60\n"
        "2024-02-09,t3,a,60,0,60,12,72\n", 210, False),
    "guests": (
        "order_id,date,customer_id,total\n" + "".join(f"{k},2024-01-{k % 28 + 1:02d},{'Guest' if k % 3 else f'K{k}'},10\n" for k in range(30)), 100, True),
    "numbers that restart each month": (
        "receipt_no,customer_id,date,item,receipt_total\n" + "".join(
            f"{n},{'abcdefgh'[(n + 2 * m) % 8]},2024-{m:02d}-{n + 2:02d},i{k},{10 * n + m}\n" for m in (1, 2, 3) for n in range(1, 7) for k in (1, 2)),
        sum(10 * n + m for m in (1, 2, 3) for n in range(1, 7)), False),
    "a dispute that was won": (
        "id,customer,created,amount,amount_refunded,disputed_amount,dispute_reason,dispute_status\n1,a,2024-01-05,20,0,,,\n"
        "2,b,2024-01-06,20,0,20,fraudulent,won\n3,a,2024-01-07,20,5,,,\n", 55, False),
    "a final price beside a price": ("order_id,customer,date,price,final price\n1,a,2024-01-05,60,50\n2,b,2024-01-06,120,100\n", 150, False),
    "two shops that count alike": (
        "store,order_id,customer,date,item,order_total\n" + "".join(
            f"{s},{n},{s}{n % 4},2024-01-{n + 2:02d},i{k},{10 * n + len(s)}\n" for n in range(1, 9) for s in ("x", "yy") for k in (1, 2)),
        sum(10 * n + s for n in range(1, 9) for s in (1, 2)), False),
    "cents": ("order,customer,date,amount_cents\n1,a,2024-01-05,1250\n2,b,2024-01-06,300\n", 15.5, False),
    "minor units of a total": ("id,customer,created,total_in_cents\n1,a,2024-01-05,1250\n2,b,2024-01-06,300\n", 15.5, False),
    "a discount in per cent": (
        "customer,date,quantity,unit_price,discount\na,2024-01-05,2,10,10%\nb,2024-01-06,1,10,0%\na,2024-01-07,3,10,50 %\n", 18 + 10 + 15, True),
    "a discount of one euro on each line": (
        "customer,date,quantity,unit_price,line_discount\na,2024-01-05,2,10,1\nb,2024-01-06,1,10,1\na,2024-01-07,3,10,1\n", 19 + 9 + 29, True),
    "a dispute beside a refund": (
        "id,customer,created,amount,amount_disputed,amount_refunded\n1,a,2024-01-05,20,0,5\n2,b,2024-01-06,20,20,0\n3,a,2024-01-07,20,,\n", 35, True),
    "part of an order disputed": (
        "id,customer,created,amount,status,dispute_amount\n1,a,2024-01-05,20,paid,0\n2,b,2024-01-06,20,paid,5\n", 35, True),
    "a tip": ("order,customer,date,subtotal,tip,total\n1,a,2024-01-05,20,2,22\n2,b,2024-01-06,30,0,30\n3,b,2024-01-07,10,1,11\n", 60, False),
    "a tip and shipping": (
        "order,customer,date,subtotal,tip,shipping,total\n1,a,2024-01-05,20,2,4,26\n2,b,2024-01-06,30,0,4,34\n3,b,2024-01-07,10,1,4,15\n", 60, False),
    "refunds with tax, amounts without": (
        "Order ID,Customer ID,Date,Subtotal (ex tax),Tax Total,Shipping Cost (ex tax),Order Total (inc tax),Refund Amount\n"
        "100,11,2024-01-15,100,19,5,124,0\n101,12,2024-01-17,100,19,5,124,59.5\n", 150, False),
    "a refund column": ("customer,date,total,Remboursé\na,2024-01-05,40,0\nb,2024-01-06,40,15\n", 65, False),
    "statuses": (
        "ID;Reference;Customer;Total;Payment;Status;Date\n1;X;J. DOE;€50.00;Wire;Payment accepted;2024-01-05 10:00:00\n"
        "2;O;J. DOE;€70.00;Wire;Canceled;2024-01-15 10:00:00\n3;U;M. MUS;€40.00;Wire;Delivered;2024-01-25 10:00:00\n"
        "4;F;M. MUS;€40.00;Wire;Refunded;2024-02-25 10:00:00\n5;K;J. DOE;€20.00;Wire;Payment error;2024-02-27 10:00:00\n", 90, False),
    "statuses in Spanish, one of them open": (
        "cliente,fecha,importe,estado\na,2024-01-05,50,Completado\nb,2024-01-06,70,Cancelado\nc,2024-01-07,30,Pendiente\n", 50, True),
    "refunds as rows of their own": (
        "customer,date,amount,type\na,2024-01-05,50,Sale\nb,2024-01-06,70,Sale\na,2024-01-09,-20,Refund\n", 100, False),
    "gift cards": (
        "order id,customer,date,product,amount\n1,a,2024-01-05,Gift Card,100\n2,a,2024-02-05,Tea,100\n3,b,2024-02-06,Tea,50\n", 150, True),
    "pieces of one price without a product": (
        "order_id,customer,date,price\n1,a,2024-01-01,5\n1,a,2024-01-01,5\n1,a,2024-01-01,8\n2,b,2024-01-02,7\n2,b,2024-01-02,7\n"
        "2,b,2024-01-02,9\n", 41, True),
    "a second table below": (
        "customer,date,order_id,amount,channel\na,2024-01-05,1,10,web\nb,2024-01-06,2,20,web\n\nmonth,orders\nJanuary,2\n", 30, False),
    "a grand total": (
        "order,customer,date,amount\n1,a,2024-01-05,10\n2,b,2024-01-06,20\n3,b,2024-01-08,20\nGrand Total,,,50\n", 50, False),
    "a total without a name": ("order,customer,date,amount\n1,a,2024-01-05,10\n2,b,2024-01-06,20\n3,b,2024-01-08,20\n,,,50\n", 50, False),
    "numbers of many kinds": (
        "customer,date,amount\na,2024-01-05,'70.00\nb,2024-01-06,\u221220.00\nb,2024-01-04,30.00\n", 80, False),
    "real": ("customer,date,amount\na,2024-01-05,\"R$ 1.070,50\"\nb,2024-01-06,\"R$ 20,00\"\n", 1090.5, False),
    "crowns": ("customer,date,amount\na,2024-01-05,kr. 20\nb,2024-01-06,kr. 30\n", 50, False),
    "francs": ("customer,date,amount\na,2024-01-05,20 Fr.\nb,2024-01-06,30.50 Fr.\n", 50.5, False),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_the_right_amount(name, tmp_path):
    text, right, asked = FILES[name]
    currency = {"real": "BRL", "crowns": "DKK", "francs": "CHF"}.get(name)
    one = begun(tmp_path, text, currency=currency)
    assert worth(one) == pytest.approx(right, abs=0.005), one
    assert bool(one.questions) is asked, one.questions


def test_a_total_is_named_and_not_counted(tmp_path):
    for name in ("a grand total", "a total without a name"):
        (tmp_path / name).mkdir()
        checked = Books(begun(tmp_path / name, FILES[name][0]).client).orders
        account = checked.account.set_index("rule")
        assert account.loc["read", "money"] == 50, name
        assert account.loc["line of totals", "rows"] == 1, name


@pytest.mark.parametrize(
    ("formula", "names"), [("quantity * unit_price - discount", 3), ("(a - b) / (1 + c)", 3), ("-a * 1.19", 1)]
)
def test_formulas(formula, names):
    assert len(names_in(formula)) == names


@pytest.mark.parametrize(
    "formula", ["__import__('os')", "a.b", "a ** 9", "a if b else c", "a[0]", "'x'", "3", "", "a(", "lambda: a"]
)
def test_a_formula_runs_no_code(formula):
    with pytest.raises(ValueError, match="formula"):
        names_in(formula)


def test_a_formula_that_names_no_column_is_an_error(make_client):
    folder = make_client("customer_id,date,count,price\na,2024-01-05,2,5\n")
    body = yaml.safe_load((folder / "client.yaml").read_text())
    body["transactions"] |= {
        "amount": "quantity * price",
        "columns": {"customer_id": "customer_id", "date": "date", "quantity": "count"},
    }
    (folder / "client.yaml").write_text(yaml.safe_dump(body))
    assert to_pandas(Books(cv.Client.load(folder)).orders.kept)["amount"].tolist() == [10.0]
    body["transactions"]["amount"] = "quantity * cost_price"
    (folder / "client.yaml").write_text(yaml.safe_dump(body))
    with pytest.raises(cv.TableError, match="has no column 'cost_price'"):
        _ = Books(cv.Client.load(folder)).orders


def test_one_id_however_a_spreadsheet_writes_it(tmp_path):
    text = 'customer_id,date,amount\n123,2024-01-05,1\n123.0,2024-01-06,2\n"=""00123""",2024-01-07,4\n\'00123,2024-01-08,8\n00456,2024-01-08,8\n'
    one = begun(tmp_path, text)
    assert kept(one).groupby("customer_id")["amount"].sum().to_dict() == {"123": 15, "456": 8}
    assert "00123 and 123" in str(one)


def test_spoiled_ids_are_refused(tmp_path):
    with pytest.raises(cv.TableError, match=r"'4\.56E\+12'.*cut off their digits"):
        begun(tmp_path, "customer_id,date,amount\n4.56E+12,2024-01-05,1\n4.56E+12,2024-01-06,2\n")


def test_names_of_persons_are_said(tmp_path):
    assert "names of persons in 'Customer'" in str(begun(tmp_path, FILES["statuses"][0]))


def test_numbers_that_begin_anew_each_year(tmp_path):
    (tmp_path / "orders-2023.csv").write_text(
        "Invoice no,customer,date,amount\n17,c1,2023-01-05,100\n18,c2,2023-02-05,50\n"
    )
    (tmp_path / "orders-2024.csv").write_text(
        "Invoice no,customer,date,amount\n17,c1,2024-02-05,70\n18,c3,2024-02-06,20\n17,c1,2024-03-01,-7\n"
    )
    body = {"name": "X", "currency": "EUR", "transactions": {"source": "orders-*.csv", "columns": {
        "order_id": "Invoice no", "customer_id": "customer", "date": "date", "amount": "amount"}}}  # fmt: skip
    (tmp_path / "client.yaml").write_text(yaml.safe_dump(body))
    rows = to_pandas(Books(cv.Client.load(tmp_path)).orders.kept)
    assert rows["amount"].sum() == 233
    assert rows.loc[rows["amount"] < 0, "date"].tolist() == [pd.Timestamp("2024-02-05")]


def test_dates_that_stand_for_none(tmp_path):
    text = "customer,date,amount\na,1900-01-01,10\nb,2024-01-06,20\nc,2024-01-06,20\nd,1970-01-01,20\ne,2024-01-09,1\nf,2024-01-09,1\n"
    account = Books(begun(tmp_path, text).client).orders.account.set_index("rule")["rows"]
    assert account["date that stands for none, such as 1900-01-01"] == 2


@pytest.mark.parametrize("day", [
    "Fri, 26 Jan 2024 10:12:33 +0100", "Jan 26, 2024, 10:12 AM", "2024.01.26", "26/01/2024, 10:12:33", "2024/01/26 11:30:00 PM GMT+2",
    "Jan-26-24", "January 26, 2024 10:12 AM", "1/26/2024, 10:12:33 PM", "26. 01. 2024", "26-Jan-2024 10:12:33", "20240126101233",
])  # fmt: skip
def test_dates_of_common_programs(day, tmp_path):
    assert kept(begun(tmp_path, f'customer,date,amount\na,"{day}",5\n'))["date"].tolist() == [
        pd.Timestamp("2024-01-26")
    ]


@pytest.mark.parametrize("place", ["shop [2024]", "plain"])
def test_brackets_in_paths(place, tmp_path):
    folder = tmp_path / place
    folder.mkdir()
    assert worth(begun(folder, "customer,date,amount\na,2024-01-05,5\n", name="orders [2024].csv")) == 5


def test_a_refund_takes_its_part_of_margin_and_cost(tmp_path):
    text = "order_id,customer,date,total,margin,refunded\n1,a,2024-01-01,200,80,0\n2,a,2024-02-01,200,80,150\n3,b,2024-02-01,200,80,0\n"
    (tmp_path / "o.csv").write_text(text)
    columns = {
        "order_id": "order_id",
        "customer_id": "customer",
        "date": "date",
        "amount": "total",
        "margin": "margin",
        "refunded": "refunded",
    }
    rows = to_pandas(cv.read_transactions(tmp_path / "o.csv", columns=columns))
    assert rows.groupby("customer_id")["margin"].sum().to_dict() == {"a": 100, "b": 80}
    (tmp_path / "c.csv").write_text(
        "customer_id,date,amount,cost\na,2024-01-01,200,100\na,2024-01-02,200,100\na,2024-02-01,-200,100\n"
    )
    rows = to_pandas(cv.read_transactions(tmp_path / "c.csv"))
    assert rows["cost"].sum() == 100


def test_codes_for_no_answer(make_client):
    folder = make_client(surveys={"source": "s.csv", "columns": {"date": "date", "customer_id": "customer"},
                                  "questions": {"How likely are you to recommend us?": "nps"}})  # fmt: skip
    (folder / "s.csv").write_text(
        "date,customer,How likely are you to recommend us?\n2024-05-01,c1,2\n2024-05-01,c2,-9\n2024-05-02,c3,99\n2024-05-02,c4,-1\n2024-05-02,c5,3\n"
    )
    checked = cv.check_survey(cv.read_survey(cv.Client.load(folder)))
    assert checked.kept["score"].tolist() == [2, 3]


# What the shop programs of 29 languages call an order: languages, meanings, words between bars.
WORDS = pd.read_csv(Path(__file__).with_name("statuses.csv"))
NO_SALE, NOT_PAID = {"failed", "cancelled", "refunded"}, {"open", "unpaid"}


@pytest.mark.parametrize("language", sorted(WORDS["language"].unique()))
def test_no_status_is_taken_for_a_sale_that_is_none(language):
    for row in WORDS[WORDS["language"] == language].itertuples():
        like = next((k for k in (NO_SALE, NOT_PAID) if row.meaning in k), {row.meaning})
        said = {word: meaning_of_status(word) for word in row.words.split("|")}
        assert set(said.values()) <= like, said


def test_what_a_status_says_in_many_languages():
    for kind, words in {
        "cancelled": "wc-cancelled Storniert Annulée cancelado geannuleerd anulowano Отменён キャンセル peruttu zrušeno",
        "refunded": "Erstattet remboursé reembolsado rimborsato terugbetaald zwrócone возврат chargeback",
        "failed": "failed declined fehlgeschlagen échouée fallido mislukt expired requires_payment_method",
        "unpaid": "unpaid impayé onbetaald neuhrazeno",
        "open": "pending on-hold wc-on-hold pendiente ausstehend",
        "done": "paid completed processing bezahlt livré enviado levererad",
    }.items():
        assert {w: meaning_of_status(w) for w in words.split()} == dict.fromkeys(words.split(), kind)
    assert meaning_of_status("partially_refunded") == "sale"
    assert role_of("MwSt. (EUR)") == "tax"


def test_init_without_a_terminal_writes_open_questions_and_fails(tmp_path):
    file = tmp_path / "orders.csv"
    file.write_text(FILES["the order's total on each line"][0])
    call = ["init", str(tmp_path / "shop"), "--transactions", str(file)]
    done = CliRunner().invoke(app, call)
    assert done.exit_code == 1, done.output
    text = (tmp_path / "shop/client.yaml").read_text()
    assert text.count("# Open question:") == 1
    assert "counts once (82.00) (taken below)" in text
    assert yaml.safe_load(text)["transactions"]["amount_of"] == "order"
    again = CliRunner().invoke(app, [*call, "--yes"])
    assert again.exit_code == 1
    assert "--force" in str(again.exception)
    taken = CliRunner().invoke(app, [*call, "--yes", "--force"])
    assert taken.exit_code == 0, taken.output
    assert "counts once (82.00)" in taken.output


def test_answers_are_written(tmp_path):
    one = begun(tmp_path, FILES["the order's total on each line"][0], ask=lambda question: 1)
    assert worth(one) == 30 + 30 + 12 + 3 * 40
    assert one.questions == ()


def test_a_workbook_with_two_sheets_asks(tmp_path):
    with pd.ExcelWriter(tmp_path / "o.xlsx") as book:
        for sheet, money in (("2023", 5.0), ("2024", 7.0)):
            pd.DataFrame({"customer": ["a"], "date": [f"{sheet}-01-05"], "amount": [money]}).to_excel(
                book, sheet_name=sheet, index=False
            )
    one = begin_client(tmp_path / "a", tmp_path / "o.xlsx")
    assert [c.text for c in one.questions[0].choices][1] == "begin again with --sheet '2024' --force"
    assert worth(begin_client(tmp_path / "b", tmp_path / "o.xlsx", sheet="2024")) == 7
    with pytest.raises(cv.TableError, match="has no sheet '2025'"):
        begin_client(tmp_path / "c", tmp_path / "o.xlsx", sheet="2025")


def test_currencies_ask_or_take_rates(tmp_path):
    text = "customer,date,amount,currency\na,2024-01-05,10,EUR\nb,2024-01-06,20,USD\nc,2024-01-06,5,EUR\n"
    one = begun(tmp_path, text)
    assert worth(one) == 15
    assert "rates: {USD" in str(one.questions[0])
    (tmp_path / "rates.csv").write_text("date,currency,rate\n2024-01-01,USD,0.5\n")
    both = begin_client(tmp_path / "b", tmp_path / "orders.csv", rates=tmp_path / "rates.csv", currency="EUR")
    assert worth(both) == 25
    assert both.questions == ()
