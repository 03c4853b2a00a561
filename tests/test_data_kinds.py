"""Kinds of exports by which money was counted wrongly: each small enough to add up by hand, with the customers where they matter."""

from __future__ import annotations

import pytest

import clvnb as cv
from clvnb.core.engine import to_pandas
from clvnb.data.begin import begin_client
from clvnb.data.contracts import settle_contracts
from clvnb.data.statuses import documents, flag_meaning, meaning_of_status
from test_data_amounts import begun, kept

# name: the file, and what it is worth, or that and how many customers it has
CASES = {
    "flags": (
        "order_no,customer_no,order_date,total,cancelled\n1001,K1,2024-01-05,100.00,false\n1002,K2,2024-01-09,80.00,true\n1003,K1,2024-02-11,60.00,false\n1004,K3,2024-03-02,40.00,true\n1005,K3,2024-03-20,30.00,false\n",
        190,
    ),
    "flags at": (
        "order_no,customer_no,order_date,total,cancelled_at\n1,K1,2024-01-05,100.00,\n2,K2,2024-01-09,80.00,2024-01-10 10:00\n3,K1,2024-02-11,60.00,\n4,K3,2024-03-20,30.00,\n",
        190,
    ),
    "storniert": (
        "Nr;Kunde;Datum;Summe;Storniert\n1;K1;05.01.2024;100,00;nein\n2;K2;09.01.2024;80,00;ja\n3;K1;11.02.2024;60,00;nein\n",
        160,
    ),
    "is_test": (
        "id,customer,date,total,is_test\n1,K1,2024-01-05,100,0\n2,K2,2024-01-09,80,1\n3,K1,2024-02-11,60,0\n",
        160,
    ),
    "paid": (
        "id,customer,date,total,paid\n1,K1,2024-01-05,100,yes\n2,K2,2024-01-09,80,no\n3,K1,2024-02-11,60,yes\n",
        160,
    ),
    "success": (
        "id,customer,date,total,success\n1,K1,2024-01-05,100,true\n2,K2,2024-01-09,80,false\n3,K1,2024-02-11,60,true\n",
        160,
    ),
    "docs": (
        "Receipt No,Type,Date,Customer ID,Total\n1,Sale,2024-01-05,C1,100.00\n2,Sale,2024-01-09,C2,80.00\n3,Return,2024-01-15,C2,80.00\n4,Sale,2024-02-11,C1,60.00\n",
        160,
    ),
    "credit note": (
        "No,Document Type,Date,Customer,Total\n1,Invoice,2024-01-05,C1,100.00\n2,Invoice,2024-01-09,C2,80.00\n3,Credit Note,2024-01-15,C2,40.00\n4,Invoice,2024-02-11,C1,60.00\n",
        200,
    ),
    "belegart": (
        "Belegnummer;Belegart;Datum;Kundennummer;Betrag\n1;Rechnung;05.01.2024;1;100,00\n2;Rechnung;09.01.2024;2;80,00\n3;Gutschrift;15.01.2024;2;30,00\n4;Angebot;15.02.2024;2;99,00\n",
        150,
    ),
    "refund type": (
        "date,customer,type,amount\n2024-01-05,a,Sale,100\n2024-01-06,b,Sale,80\n2024-01-09,b,Refund,20\n2024-02-09,a,Sale,60\n",
        220,
    ),
    "quickbooks": (
        "Date,Transaction Type,Num,Customer,Amount\n01/15/2024,Invoice,1,A,100\n01/20/2024,Payment,,A,-100\n02/15/2024,Invoice,2,B,80\n02/25/2024,Credit Memo,3,B,-30\n03/15/2024,Invoice,4,A,60\n",
        210,
    ),
    "unit": (
        "order_id,customer_id,date,sku,Qty Sold,Price,Line Total\n1,K1,2024-01-05,A,3,10.00,30.00\n2,K2,2024-01-08,B,2,12.50,25.00\n1,K1,2024-01-05,C,5,10.00,50.00\n",
        105,
    ),
    "magento": (
        "order_id,customer_id,date,sku,qty_ordered,price,row_total\n1,K1,2024-01-05,A,3,10.00,30.00\n2,K2,2024-01-08,B,2,12.50,25.00\n3,K1,2024-02-05,A,5,10.00,50.00\n",
        105,
    ),
    "anzahl": (
        "Bestellnummer;Kundennummer;Datum;Anzahl Artikel;Preis;Zeilenbetrag\n1;K1;05.01.2024;3;10,00;30,00\n2;K2;08.01.2024;2;12,50;25,00\n3;K1;05.02.2024;5;10,00;50,00\n",
        105,
    ),
    "tickets": (
        "Order,Customer,Date,Heads,Price,Sum due\n1,K1,2024-01-05,3,10.00,30.00\n2,K2,2024-01-08,2,12.50,25.00\n3,K1,2024-02-05,5,10.00,50.00\n",
        105,
    ),
    "seats": (
        "Order number,Email,Order date,Event,Seat,Price\n1,a@x.org,2024-01-05,Hamlet,A1,38.00\n1,a@x.org,2024-01-05,Hamlet,A2,38.00\n2,b@x.org,2024-01-15,Carmen,B1,55.00\n2,b@x.org,2024-01-15,Carmen,B2,55.00\n3,a@x.org,2024-02-05,Jazz,C1,24.50\n3,a@x.org,2024-02-05,Jazz,C2,24.50\n4,c@x.org,2024-02-15,Hamlet,A7,38.00\n4,c@x.org,2024-02-15,Hamlet,A8,38.00\n5,b@x.org,2024-03-05,Jazz,C5,24.50\n5,b@x.org,2024-03-05,Jazz,C6,24.50\n",
        360,
    ),
    "instal": (
        "Order No,Customer No,Payment date,Amount\n"
        + "".join(
            f"{k},K{k},2024-0{k}-05,{10 * k + 20}\n{k},K{k},2024-0{k + 1}-05,{10 * k + 20}\n" for k in range(1, 6)
        ),
        2 * sum(10 * k + 20 for k in range(1, 6)),
    ),
    "ticket": (
        "Ticket,Customer ID,Date,Item,Total\nT1,K1,2024-01-05,Tea,30.00\nT1,K1,2024-01-05,Cup,30.00\nT2,K2,2024-01-10,Tea,12.00\nT3,K1,2024-02-15,Tea,40.00\nT3,K1,2024-02-15,Cup,40.00\nT3,K1,2024-02-15,Pot,40.00\n",
        82,
    ),
    "restart": (
        "invoice_no,customer_id,invoice_date,item,invoice_total\n1,K1,2023-01-05,Tea,30.00\n1,K1,2023-01-05,Cup,30.00\n2,K2,2023-02-05,Tea,50.00\n2,K2,2023-02-05,Pot,50.00\n1,K3,2024-01-08,Tea,40.00\n1,K3,2024-01-08,Cup,40.00\n2,K1,2024-02-09,Tea,20.00\n2,K1,2024-02-09,Cup,20.00\n",
        140,
    ),
    "shopify analytics": (
        "Order name,Customer email,Day,Gross sales,Discounts,Returns,Net sales,Shipping,Taxes,Total sales\n#1,a@x.org,2024-01-05,100.00,-10.00,0.00,90.00,5.00,18.00,113.00\n#2,b@x.org,2024-01-09,80.00,0.00,-30.00,50.00,5.00,10.00,65.00\n#3,a@x.org,2024-02-09,60.00,0.00,0.00,60.00,5.00,12.00,77.00\n#4,c@x.org,2024-03-09,40.00,-4.00,0.00,36.00,5.00,7.20,48.20\n",
        236,
    ),
    "net after refund": (
        "id,customer,date,gross amount,refunded,net amount\n1,a,2024-01-05,100,0,100\n2,b,2024-01-06,80,40,40\n3,a,2024-02-06,60,0,60\n4,a,2024-03-06,40,0,40\n",
        240,
    ),
    "guest": (
        "order_id,order_date,customer_id,billing_email,order_total\n1,2024-01-05,0,g1@x.org,45.00\n2,2024-01-06,17,m@x.org,30.00\n3,2024-02-06,0,g2@x.org,20.00\n4,2024-02-07,0,g3@x.org,25.00\n",
        (120, 4),
    ),
    "cashier": (
        "Date,Receipt number,User,Customer Email,Total\n2024-01-05,9000,Maria,a@x.org,45.00\n2024-01-06,9001,Tom,b@x.org,30.00\n2024-02-06,9002,Maria,c@x.org,20.00\n2024-02-07,9003,Tom,a@x.org,25.00\n",
        (120, 3),
    ),
    "ccy": (
        "order_id,customer_id,date,total,Ccy\n1,a,2024-01-15,100.00,EUR\n2,b,2024-01-16,80.00,EUR\n3,a,2024-02-17,9000.00,JPY\n4,c,2024-03-18,40.00,EUR\n",
        220,
    ),
    "partial es": (
        "Pedido;Cliente ID;Fecha;Total;Reembolsado;Estado\n1;a;15/01/2024;100,00;0,00;Completado\n2;b;16/01/2024;80,00;30,00;Reembolso parcial\n3;a;17/02/2024;60,00;0,00;Completado\n4;c;18/03/2024;40,00;40,00;Reembolsado\n",
        (210, None),
    ),
    "compound": (
        "order_id,customer_id,date,total,status\n1,a,2024-01-15,100.00,Completed\n2,b,2024-01-16,80.00,Completed - Refunded\n3,a,2024-02-17,60.00,Completed\n4,c,2024-03-18,40.00,Paid / Cancelled\n",
        160,
    ),
    "greek": (
        "order_id,customer_id,date,total,status\n1,a,2024-01-15,100.00,Ολοκληρώθηκε\n2,b,2024-01-16,80.00,Ακυρώθηκε\n3,a,2024-02-17,60.00,Ολοκληρώθηκε\n",
        160,
    ),
    "result": (
        "id,customer,date,amount,result\n1,a,2024-01-15,100.00,Approved\n2,b,2024-01-16,80.00,Declined\n3,a,2024-02-17,60.00,Approved\n4,a,2024-03-17,30.00,Insufficient funds\n",
        160,
    ),
    "outcome": (
        "id,customer,date,amount,outcome\n1,a,2024-01-15,100.00,succeeded\n2,b,2024-01-16,80.00,card_declined\n3,a,2024-02-17,60.00,succeeded\n4,a,2024-03-17,30.00,insufficient_funds\n",
        160,
    ),
    "customer status": (
        "order_id,customer_id,customer_status,order_date,total\n1,K1,active,2024-01-05,100.00\n2,K2,cancelled,2024-01-08,80.00\n3,K2,cancelled,2024-02-05,60.00\n4,K3,active,2024-03-05,40.00\n",
        (280, 3),
    ),
    "amazon": (
        "amazon-order-id\tpurchase-date\torder-status\tsku\tquantity\tcurrency\titem-price\tbuyer-email\n111-1\t2024-01-05T10:00:00+00:00\tShipped\ts1\t2\tUSD\t20.00\ta@m.amazon.com\n111-3\t2024-02-05T10:00:00+00:00\tShipped\ts2\t3\tUSD\t45.00\ta@m.amazon.com\n111-4\t2024-02-15T10:00:00+00:00\tShipped\ts1\t1\tUSD\t10.00\tc@m.amazon.com\n",
        75,
    ),
    "disc pct": (
        "order_id,customer_id,date,quantity,unit_price,discount_percent\n1,K1,2024-01-05,2,50.00,10\n2,K2,2024-01-08,1,40.00,0\n3,K1,2024-02-05,4,25.00,25\n",
        205,
    ),
    "disc total": (
        "order_id,customer_id,date,quantity,price,total,discount\n1,K1,2024-01-05,2,60.00,120.00,12\n2,K2,2024-01-08,3,40.00,120.00,0\n3,K1,2024-02-05,4,45.00,180.00,18\n",
        390,
    ),
    "gift": (
        "order_id,customer_id,date,Item Description,line_total\n1,a,2024-01-15,E-Gift Voucher,100.00\n2,b,2024-01-16,Tea,80.00\n3,a,2024-02-17,Tea,60.00\n",
        140,
    ),
    "total dated": (
        "Customer ID,Invoice No,Date,Amount\nK1,1,2024-01-05,100.00\nK2,2,2024-01-19,80.00\nK1,3,2024-02-09,60.00\nTOTAL,,2024-02-29,240.00\n",
        (240, 2),
    ),
    "vat pct": ("id,customer,date,Total incl. VAT,VAT %\n1,a,2024-01-05,120,20\n2,b,2024-01-06,240,20\n", 360),
    "pago": (
        "Pedido,Cliente,Data,Total,Situação\n1,a,2024-01-05,1000.50,Pago\n2,b,2024-01-06,310,Pago\n3,c,2024-01-07,40,Aguardando pagamento\n4,c,2024-01-08,80,Cancelado\n",
        1310.5,
    ),
    "retqty": (
        "Order No,Customer No,Date,Article,Quantity,Returned quantity,Unit price\n1,K1,2024-01-05,A,3,0,10.00\n2,K2,2024-01-08,B,2,2,12.50\n3,K1,2024-02-05,A,5,1,10.00\n",
        70,
    ),
    "olist": (
        "order_id,customer_id,customer_unique_id,order_purchase_timestamp,payment_value\no1,c1,u1,2024-01-05 10:00:00,10\no2,c2,u1,2024-02-05 10:00:00,20\no3,c3,u2,2024-02-06 10:00:00,30\n",
        (60, 2),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_right_amount(name, tmp_path):
    text, right = CASES[name]
    money, people = right if isinstance(right, tuple) else (right, None)
    given = {"columns": {"date": "order_purchase_timestamp"}} if name == "olist" else {}
    found = kept(begun(tmp_path, text, "orders.txt" if name == "amazon" else "orders.csv", **given))
    assert found["amount"].sum() == pytest.approx(money, abs=0.005)
    assert people is None or found["customer_id"].nunique() == people


def test_what_begins_late_in_a_large_file_is_seen(tmp_path):
    rows = [
        f"{k},K{k % 700},2024-{k % 12 + 1:02d}-05,{1 + k % 2},10.00,{'2.00' if k > 23_000 else '0.00'}"
        for k in range(24_000)
    ]
    text = "order_id,customer_id,date,quantity,unit_price,discount\n" + "\n".join(rows) + "\n"
    found = kept(begun(tmp_path, text))
    assert found["amount"].sum() == pytest.approx(24_000 * 15 - 999 * 2)


@pytest.mark.parametrize(
    ("value", "meaning"),
    [("Completed - Refunded", "refunded"), ("Reembolso parcial", "sale"), ("Remboursé partiellement", "sale"), ("Paid / Cancelled", "cancelled"),
     ("Payment not received", "unpaid"), ("Dispute won", "sale"), ("chargeback_reversal", "sale"), ("Selesai", "done"), ("Dibatalkan", "cancelled")],
)  # fmt: skip
def test_statuses_of_several_words(value, meaning):
    assert meaning_of_status(value) == meaning


def test_flags_and_documents_that_are_none():
    assert flag_meaning("cancellation_policy", ["strict", "free"]) is None
    assert flag_meaning("newsletter", ["yes", "no"]) is None
    assert flag_meaning("shipped", ["yes", "no"]) is None
    for column in ("returning customer", "ab_test", "cancel anytime", "refund policy", "test group"):
        assert flag_meaning(column, ["yes", "no"]) is None
    assert documents("Type", ["Tea", "Cup"]) is None
    assert documents("Type", ["Sale"]) is None
    for column in ("Payment Type", "customer_type", "card type"):
        assert documents(column, ["Sale", "Return"]) is None


def test_a_kind_of_customer_is_no_kind_of_document(tmp_path):
    text = "order_id,customer_id,customer_type,date,total\n1,a,Purchase,2024-01-05,10\n2,b,Return,2024-01-06,20\n3,b,Return,2024-02-06,30\n"
    assert kept(begun(tmp_path, text))["amount"].sum() == pytest.approx(60)


def test_returns_with_and_without_a_sign(tmp_path):
    text = "No,Type,Date,Customer,Total\n1,Sale,2024-01-05,C1,100\n2,Return,2024-01-09,C1,20\n3,Return,2024-01-15,C1,-80\n4,Sale,2024-02-11,C1,60\n"
    assert kept(begun(tmp_path, text))["amount"].sum() == pytest.approx(60)


def club(tmp_path, contracts: str, paid: dict[str, float], months=(1, 2, 3)) -> float:
    """Monthly recurring revenue on the last day, as step 1 settles the contracts."""
    tmp_path.mkdir()
    (tmp_path / "contracts.csv").write_text(contracts)
    lines = [
        f"{who}{m},{who},2024-0{m}-05,{money}"
        for m in months
        for who, money in paid.items()
        if not (who == "gone" and m == 3)
    ]
    (tmp_path / "paid.csv").write_text("invoice_id,customer_id,date,amount\n" + "\n".join(lines) + "\n")
    client = begin_client(
        tmp_path / "club", tmp_path / "paid.csv", contracts=tmp_path / "contracts.csv", currency="EUR"
    ).client
    books = cv.Books(client)
    settled = settle_contracts(books.contracts.kept, to_pandas(books.orders.kept), as_of=books.as_of)
    return float(cv.mrr_movements(cv.spells(settled.kept, as_of=books.as_of), as_of=books.as_of)["closing"].iloc[-1])


def test_seats_statuses_and_numbers_of_contracts(tmp_path):
    head = "customer_id,start_date,end_date,price,interval"
    seats = f"{head},quantity\na,2024-01-05,,10.00,month,1\nb,2024-01-05,,10.00,month,5\n"
    assert club(tmp_path / "1", seats, {"a": 10, "b": 50}) == 60
    over = f"{head},status\na,2024-01-05,,10.00,month,active\ngone,2024-01-05,,10.00,month,canceled\nc,2024-01-05,,10.00,month,active\n"
    assert club(tmp_path / "2", over, {"a": 10, "gone": 10, "c": 10}) == 20
    never = f"{head},status\na,2024-01-05,,10.00,month,active\nt,2024-02-05,,10.00,month,trialing\nu,2024-02-05,,10.00,month,incomplete_expired\n"
    assert club(tmp_path / "3", never, {"a": 10}) == 10
    two = f"contract_id,{head}\nk1,a,2024-01-05,,10.00,month\nk2,b,2024-01-05,,10.00,month\nk3,b,2024-01-05,,10.00,month\n"
    assert club(tmp_path / "4", two, {"a": 10, "b": 20}) == 30
