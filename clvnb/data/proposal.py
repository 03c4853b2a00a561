"""From a file of orders to a proposed ``client.yaml``: which column means what, and how its text is to be read.

In: a path. Out: ``Proposal``, with what was understood and an example of each; or an error that says what to decide.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from ..core.engine import as_ibis, connection, to_pandas
from ..core.errors import ClientError, TableError
from ..core.results import Finding
from ..core.tables import closest
from .client import Connection, Source
from .exports import Export, known_orders, known_survey, metric_of
from .formulas import names_in, value_of
from .packed import unpacked
from .roles import ROLES, Choice, Question, answered, find_basis, holds_cents, letters, role_of
from .sources import (
    CURRENCY,
    NUMBERED_DAYS,
    SIGNS,
    WORKBOOKS,
    Opened,
    as_date,
    as_id,
    as_number,
    as_text,
    open_source,
    sheet_names,
    typed_by_its_engine,
)
from .statuses import documents, flag_meaning, is_gift_card, is_status_name, status_words
from .textfiles import BELOW, TEXT_FILES, find_encoding, find_layout

__all__ = ["Proposal", "are_addresses", "columns_of", "propose_client", "propose_contracts", "propose_survey"]

# Words by which people name columns, most telling first; matched on letters only.
_NAMES = {
    "customer_id": "customeruniqueid customerid customerno customernumber customerref customerreference customercode custid custno clientid clientref clientreference "
    "clientno kundennr kundennummer kundenid kundenno kundno kundnr kundenummer idclient numeroclient numclient codeclient nclient idcliente "
    "clienteid numerodecliente codigocliente codicecliente iddocliente codigodocliente klantnummer klantid klantnr asiakasnumero asiakasid idklienta "
    "klientid numerklienta idzakaznika cislozakaznika idclienti ugyfelszam vevokod musteriid musterino кодклиента idклиента клиентid 顧客番号 顧客id 客户编号 "
    "고객번호 buyeruserid buyerusername buyerid userid memberid accountid shopperid customer client cliente kunde klant kund asiakas klient zakaznik ugyfel vevo "
    "musteri клиент покупатель 顧客 客户 고객 customeremail customeremailaddress buyeremail billingemail emailbilling user username member buyer account "
    "emailaddress contactemail email mail courriel emailkunde kundenemail correo correoelectronico emailcliente emailclient emailbuyer id",
    "date": "orderdate invoicedate transactiondate purchasedate saledate salesdate dateordered orderedat orderedon ordercreated orderplacedat placedat "
    "createdat createddate datecreated creationdate paidat paidondate paymentdate date datum bestelldatum auftragsdatum rechnungsdatum kaufdatum "
    "belegdatum datecommande datedecommande datedelacommande datefacture fecha fechapedido fechadelpedido fechadepedido fechacompra fechafactura "
    "data dataordine datadellordine datapedido datadopedido datadacompra dataacquisto datafattura besteldatum orderdatum factuurdatum kopdatum "
    "ordredato dato bestillingsdato tilauspaiva paivamaara pvm datazamowienia datasprzedazy dataobjednavky datumobjednavky datacomenzii datacomanda "
    "rendelesdatuma datumobjednani siparistarihi tarih дата датазаказа датапокупки 注文日 日付 日期 订单日期 주문일 날짜 timestamp datetime time created day tag jour",
    "amount": "amount total dollarvalue revenue grandtotal ordervalue totalprice netamount sales value price sum betrag gross net",
    "order_id": "orderid orderno ordernumber ordernr orderref orderreference ordername salesrecordnumber invoiceno invoicenumber invoiceid invoice receiptno "
    "receiptnumber receiptid transactionid transactionno bestellnr bestellnummer auftragsnr auftragsnummer rechnungsnr rechnungsnummer belegnr "
    "belegnummer bonnr numerocommande numcommande nocommande ncommande idcommande commande numerofacture facture idpedido numeropedido "
    "numerodepedido npedido pedido numerofactura factura numeroordine nordine idordine ordine numerodopedido numerofattura bestelnummer ordernummer "
    "factuurnummer ordrenummer ordrenr bestillingsnummer tilausnumero numerzamowienia nrzamowienia idzamowienia zamowienie cisloobjednavky "
    "objednavka nrcomanda numarcomanda comanda rendelesszam rendelesazonosito siparisno siparisnumarasi номерзаказа заказ 注文番号 订单号 주문번호 order bestellung auftrag receipt ticket ticketno ticketnumber folio reference cartid cart basketid bon checkno billno bill "
    "quittung recibo scontrino",
    "channel": "channel source medium kanal utmsource acquisitionchannel",
    "currency": "currency currencycode ordercurrency waehrung wahrung curr devise moneda valuta moeda waluta mena penznem parabirimi валюта 通貨 货币 통화",
    "refunded": "amountrefunded refundedamount",
    "product": "product item sku lineitemname produkt artikel",
}
_NOT_GUESSED = {"refunded", "product"}  # said by the user, or by an export that is known
_SURVEY_NAMES = {
    "date": "answeredat responsedate submittedat completedat enddate date datum timestamp createdat answered",
    "customer_id": _NAMES["customer_id"],
    "metric": "metric question kpi measure type frage",
    "score": "score rating answer value points punkte",
    "comment": "comment comments feedback verbatim kommentar",
    "wave": "wave round survey welle",
}
_DATE_FORMATS = [
    "%Y%m%d", "%d.%m.%Y", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%d/%m/%Y", "%m/%d/%Y", "%d/%m/%Y %H:%M",
    "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %I:%M %p", "%m/%d/%Y %I:%M:%S %p",
    "%d-%m-%Y", "%m-%d-%Y", "%d %b %Y", "%d-%b-%Y", "%b %d, %Y", "%Y/%m/%d", "%Y/%m/%d %H:%M", "%Y/%m/%d %H:%M:%S",
    "%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%Y.%m.%d", "%Y.%m.%d %H:%M", "%Y.%m.%d %H:%M:%S", "%Y%m%d%H%M%S",
    "%d/%m/%Y, %H:%M:%S", "%d/%m/%Y, %H:%M", "%d.%m.%Y, %H:%M:%S", "%d.%m.%Y, %H:%M", "%m/%d/%Y, %I:%M:%S %p", "%m/%d/%Y, %I:%M %p",
    "%d/%m/%Y %I:%M %p", "%d/%m/%Y %I:%M:%S %p", "%d-%m-%Y %H:%M", "%d-%m-%Y %H:%M:%S", "%d-%b-%Y %H:%M:%S", "%d-%b-%y", "%b-%d-%y",
    "%b-%d-%Y", "%d %b %Y %H:%M", "%d %b %Y, %H:%M", "%d %B %Y", "%B %d, %Y", "%B %d, %Y %I:%M %p", "%B %d, %Y, %I:%M %p",
    "%b %d, %Y %I:%M %p", "%b %d, %Y, %I:%M %p", "%b %d, %Y, %I:%M:%S %p", "%b %d, %Y %I:%M:%S %p", "%b %d, %Y %H:%M", "%b %d %Y",
    "%Y-%m-%d %I:%M %p", "%Y-%m-%d %I:%M:%S %p", "%Y-%m-%d, %H:%M:%S", "%Y/%m/%d %I:%M:%S %p GMT%z", "%a, %d %b %Y %H:%M:%S %z",
    "%d %b %Y %H:%M:%S %z", "%a %b %d %Y %H:%M:%S GMT%z", "%d/%m/%Y %H:%M:%S %z", "%d. %m. %Y", "%d. %m. %Y %H:%M",
    "%d.%m.%y %H:%M", "%d/%m/%y %H:%M", "%m/%d/%y %H:%M", "%m/%d/%y %I:%M %p",
]  # fmt: skip
_MONTH = re.compile(
    r"(19|20)\d\d[-/. ]?(0?[1-9]|1[0-2])|(0?[1-9]|1[0-2])[-/. ](19|20)\d\d"
    r"|(jan|feb|m[aä]r|apr|ma[iy]|jun|jul|aug|sep|o[ck]t|nov|de[cz]|ene|abr|ago|dic|ian|iun|iul)\w*\.?[-/ ']*(\d\d|(19|20)\d\d)?",
    re.IGNORECASE,
)
_NUMBER_STYLES = [(".", ""), (".", ","), (",", ""), (",", "."), (",", " "), (".", "'")]


@dataclass(frozen=True)
class Proposal:
    """What was understood of a file.

    Attributes
    ----------
    settings : dict
        The ``transactions:`` part of ``client.yaml``.
    understood : Finding
        ``meaning, column, example, read_as``, one row per column used.
    currency : str or None
        What the file says its amounts are in.
    known : Export or None
        The program whose export this is, where its columns tell.
    questions : tuple of Question
        What the file leaves open; ``settings`` hold the recommended answers.
    """

    settings: dict[str, Any]
    understood: Finding
    currency: str | None = None
    known: Export | None = None
    questions: tuple[Question, ...] = ()


def propose_client(file: str | Path | Connection, folder: str | Path, *, columns: dict[str, str] | None = None,
                   date_format: str | None = None, decimal: str | None = None, sheet: str | None = None) -> Proposal:  # fmt: skip
    """Look at a file or a database's table of orders and propose how to read it.

    Parameters
    ----------
    file : path or Connection
    folder : path
        The client's folder, to which the path in the proposal is relative.
    columns : mapping, optional
        What the caller already knows: clvnb's name to the column's.
    date_format : str, optional
        Decides between day first and month first.
    decimal : "." or ",", optional
        Decides between 1.234 as a thousand and as one and a bit.
    sheet : str, optional
        Of a workbook; the first one when left out.

    Raises
    ------
    ClientError, TableError
        When the file is not a table, a needed column cannot be told, or dates could be read in two ways.
    """
    path, place, text, raw = _opened(file, folder, sheet)
    sample = _sample(raw)
    if sample.empty:
        raise TableError(f"{path}: has names of columns but no rows")
    known = known_orders(sample.columns)
    mapping = _mapping(path, sample, columns or {}, known)
    _usable(path, sample, mapping)
    settings: dict[str, Any] = {"source": place, **text, "columns": mapping}
    typed_by_its_engine(Opened(raw, str(path), None), mapping)
    settings |= _date_settings(path, raw, mapping["date"], date_format)
    said, questions = [], _sheets(path, sheet)
    if known is None:
        basis = _basis(sample, mapping, columns or {}, decimal)
        if basis is not None:
            settings["columns"] = {n: c for n, c in mapping.items() if n not in {"amount", *ROLES}} | basis.columns
            settings |= basis.settings
            said.append(basis.said)
            questions += basis.questions
    else:
        settings |= known.extras(sample.columns)
    mapping = settings["columns"]
    parts = [mapping[n] for n in ("amount", *ROLES) if n in mapping and n != "quantity"]
    settings |= _number_settings(path, raw, parts, decimal)
    for further in (_disputes, _documents, _statuses, _gift_cards, _alike_lines, _zeros, _currencies):
        found, asked, text_ = further(raw, sample, settings)
        settings = answered(settings, Choice("", found))
        said += text_
        questions += asked
    mapping, told_guests, asked = _guests(sample, settings, columns or {})
    settings["columns"] = mapping
    said += told_guests
    questions += asked
    who = sample[mapping["customer_id"]]
    said += _whose(who, mapping["customer_id"])
    if are_addresses(who):
        settings["hash_ids"] = True
    else:
        settings.pop("hash_ids", None)
    for question in questions:
        settings = answered(settings, question.choices[0])
    told = _say(sample, raw, settings, known)
    told = Finding(told.table, " ".join([told.text, *said]))
    return Proposal(settings, told, _currency(sample, settings), known, tuple(questions))


def _sample(raw: Any) -> pd.DataFrame:
    """The rows that are looked at: all of a small file, the beginning and the end of a large one, where other columns may be used."""
    first = to_pandas(raw.limit(_SEEN))
    if len(first) < _SEEN:
        return first
    rows = int(to_pandas(raw.aggregate(n=raw.count()))["n"].iloc[0])
    half = _SEEN // 2
    last = to_pandas(raw.limit(half, offset=max(half, rows - half)))
    return pd.concat([first.head(half), last], ignore_index=True)


_SEEN = 20_000


def _opened(
    file: str | Path | Connection, folder: str | Path, sheet: str | None
) -> tuple[Path, str | dict[str, Any], dict[str, Any], Any]:
    """What messages call the source, how ``client.yaml`` names it, how its text is written, and its rows above any second table."""
    if isinstance(file, Connection):
        return Path(file.table), file.model_dump(), {}, open_source(Source(source=file), Path("/")).table
    path = _a_file(Path(file))
    text = _text_settings(path) | ({"sheet": sheet} if sheet is not None else {})
    raw = open_source(Source(source=str(path.resolve()), **text), Path("/")).table
    if not set(raw.columns) - {BELOW}:
        raise TableError(f"{path}: has no columns; export it again, with a line of names above the orders")
    if BELOW in raw.columns:
        raw = raw.filter(raw[BELOW].isnull()).drop(BELOW)
    return path, os.path.relpath(path.resolve(), Path(folder).resolve()), text, raw


def _usable(path: Path, sample: pd.DataFrame, mapping: dict[str, str]) -> None:
    """Refuse columns that hold objects, nothing, or ids that a spreadsheet has spoiled."""
    nested = [c for c in mapping.values() if sample[c].dropna().astype(str).str.match(r"\s*[{\[]").any()]
    if nested:
        raise TableError(
            f"{path}: the column {nested[0]!r} holds objects, such as {sample[nested[0]].dropna().iloc[0]!s:.60}; export it flat, "
            "with a column for the id alone, or name another column with --column MEANING=COLUMN"
        )
    empty = [c for n, c in mapping.items() if n in {"customer_id", "date", "amount"} and sample[c].isna().all()]
    if empty:
        raise TableError(f"{path}: the column {empty[0]!r} is empty; name another one with --column MEANING=COLUMN")
    _not_spoiled(path, sample, mapping)


def _sheets(path: Path, sheet: str | None) -> list[Question]:
    """A workbook with several sheets: which one holds the orders is for its owner to say."""
    if sheet is not None or path.suffix.lower() not in WORKBOOKS:
        return []
    names = sheet_names(str(path))
    if len(names) < 2:
        return []
    others = tuple(Choice(f"begin again with --sheet {n!r} --force") for n in names[1:6])
    return [Question(f"{path.name} has {len(names)} sheets.", (Choice(f"only the first one, {names[0]!r}"), *others))]


def _not_spoiled(path: Path, sample: pd.DataFrame, mapping: dict[str, str]) -> None:
    for name in ("customer_id", "order_id"):
        if name in mapping:
            text = sample[mapping[name]].dropna().astype(str)
            spoiled = text[text.str.fullmatch(r"\s*\d([.,]\d+)?[eE]\+\d+\s*")]
            if len(spoiled) > 0.01 * len(text):
                raise TableError(
                    f"{path}: {len(spoiled):,} of {len(text):,} ids in {mapping[name]!r} are like {spoiled.iloc[0]!r}: a spreadsheet has "
                    "cut off their digits, so that different ones look alike. Export again, and open no csv in a spreadsheet before"
                )


def _basis(sample: pd.DataFrame, mapping: dict[str, str], given: dict[str, str], decimal: str | None) -> Any:
    """Which columns make the amount."""
    told = {c: n for n, c in given.items() if n in ROLES and n != "amount"}
    taken = {c for n, c in mapping.items() if n not in {"amount", *ROLES}}
    told |= _by_arithmetic(sample, taken | set(told), mapping.get("amount"), decimal)
    if any(letters(c) == "amazonorderid" for c in sample.columns):  # its reports add the pieces of a line up already
        told |= {str(c): "line_total" for c in sample.columns if letters(c) == "itemprice"}
    columns = [c for c in sample.columns if c not in taken and (role_of(c) or c in told or c == mapping.get("amount"))]
    numbers = _numbers(sample[columns], decimal)
    spare = [c for c in sample.columns if c not in {*taken, *columns}][:30]  # a part may be known by arithmetic alone
    numbers = pd.concat([numbers, _numbers(sample[spare], decimal)], axis=1) if spare else numbers
    order = None
    if "order_id" in mapping:  # numbers may begin anew, and what is paid in parts comes on several days
        parts = [sample[mapping[n]].astype("string").fillna("") for n in ("order_id", "date")]
        order = parts[0].where(parts[0].eq(""), parts[0] + " " + parts[1].str.slice(0, 10))
        order = order.where(parts[1].ne(""), parts[0])
        who = sample[mapping["customer_id"]].astype("string").fillna("")
        order = (
            (order + " " + who if who.ne("").all() else order).where(parts[0].ne(""), pd.NA).mask(sample.duplicated())
        )
    return find_basis(numbers, order, given=given.get("amount"), preferred=mapping.get("amount"), told=told)


def _by_arithmetic(sample: pd.DataFrame, taken: set[str], amount: str | None, decimal: str | None) -> dict[str, str]:
    """A count that no name tells: whole numbers which, times a price, give another column on each line."""
    free = [c for c in sample.columns if c not in taken][:30]
    if any(role_of(c) == "quantity" for c in free):
        return {}
    few = sample[free].head(2_000)
    numbers = _numbers(few, decimal)
    prices = [c for c in numbers if role_of(c) == "unit_price" or c == amount]
    whole = [c for c in numbers if role_of(c) is None and _are_counts(numbers[c])]
    for count in whole:
        for price in prices:
            made = numbers[count] * numbers[price]
            for total in [c for c in numbers if c not in {count, price}]:
                both = made.notna() & numbers[total].notna()
                near = (made - numbers[total]).abs() <= 0.011
                if both.sum() >= 3 and near[both].mean() >= 0.95 and (numbers[count][both] != 1).any():
                    return {count: "quantity", price: "unit_price"} | (
                        {total: "line_total"} if role_of(total) is None else {}
                    )
    return {}


def _are_counts(numbers: pd.Series) -> bool:
    known = numbers.dropna()
    return len(known) > 0 and bool(((known % 1 == 0) & known.abs().between(1, 10_000)).all())


def _numbers(sample: pd.DataFrame, decimal: str | None) -> pd.DataFrame:
    """The numbers in some columns, by the one way of writing that reads most; columns that hold none are left out."""
    styles = [s for s in _NUMBER_STYLES if decimal in {None, s[0]}]
    texts = [c for c in sample.columns if not pd.api.types.is_numeric_dtype(sample[c])]
    out = {c: sample[c].astype(float) for c in sample.columns if c not in texts}
    if texts:
        held = as_ibis(sample[texts].astype("string").astype(object))
        exprs = {
            f"c{k}_{j}": as_number(held[c].cast("string"), *style, percent=role_of(c) == "discount")
            for j, style in enumerate(styles)
            for k, c in enumerate(texts)
        }
        read = to_pandas(held.select(**exprs))
        best = max(range(len(styles)), key=lambda j: sum(read[f"c{k}_{j}"].notna().sum() for k in range(len(texts))))
        out |= {c: read[f"c{k}_{best}"] for k, c in enumerate(texts)}
    frame = pd.DataFrame({c: out[c].to_numpy(float) for c in sample.columns}, index=sample.index)
    filled = sample.astype("string").apply(lambda c: c.str.strip().fillna("").ne("")).sum()
    return frame[[c for c in frame.columns if frame[c].notna().sum() >= 0.5 * filled[c] and filled[c] > 0]]


def _amounts(sample: pd.DataFrame, settings: dict[str, Any]) -> pd.Series:
    """The amounts of the rows looked at, by what is proposed so far."""
    columns = settings["columns"]
    decimal, thousands = settings.get("decimal", "."), settings.get("thousands", "")
    names = names_in(settings["amount"]) if "amount" in settings else ("amount",)
    held = as_ibis(sample[[columns[n] for n in names]].astype("string").astype(object))
    numbers = {
        n: as_number(held[columns[n]].cast("string"), decimal, thousands, percent=n == "discount").fill_null(0.0)
        for n in names
    }
    money = value_of(settings["amount"], numbers) if "amount" in settings else numbers["amount"]
    return pd.Series(to_pandas(held.select(money=money))["money"].to_numpy(float), sample.index)


_Found = tuple[dict[str, Any], list[Question], list[str]]


def _disputes(raw: Any, sample: pd.DataFrame, settings: dict[str, Any]) -> _Found:
    """Money that customers disputed, where a column says how it ended: lost is subtracted, won is not."""
    columns = settings["columns"]
    column = columns.get("dispute") or next(
        (c for c in [columns.get("refunded")] if c and role_of(c) == "dispute"), None
    )
    if column is None:
        return {}, [], []
    refund = columns.get("refund")
    bare = {"columns": {"dispute": None, "refund": None, "refunded": refund}, "refunded": None}
    disputed = _numbers(sample[[column]], settings.get("decimal")).get(column, pd.Series(0.0, sample.index)).fillna(0.0)
    named = [c for c in sample.columns if re.search("dispute|chargeback", letters(c)) and c != column]
    ended = next((c for c in named if re.search("status|state|outcome|result", letters(c))), None)
    some = disputed.ne(0)
    said = sample.loc[some, ended].astype("string").fillna("") if ended else pd.Series("", sample.index[some])
    lost = said.str.contains("lost|accepted|verloren|perdu|perdid", case=False)
    if not some.any() or ended and lost.all():
        return {}, [], []
    if ended and not lost.any():
        return bare, [], [f"No dispute was lost, as {ended!r} says: nothing is subtracted for them."]
    text = f"of {len(said):,} disputes {int(lost.sum()):,} were lost, as {ended!r} says" if ended else "is it lost?"
    return {}, [Question(
        f"{column!r} holds money that customers disputed ({disputed.abs().sum():,.2f}): {text}",
        (Choice("all of it is subtracted"), Choice("none of it is", bare)),
    )], []  # fmt: skip


def _statuses(raw: Any, sample: pd.DataFrame, settings: dict[str, Any]) -> _Found:
    """Columns that say what became of an order: what is no sale is excluded, what is open is asked."""
    columns, money = dict(settings["columns"]), _amounts(sample, settings)
    found: dict[str, Any] = {"columns": {}, "exclude": {}}
    asked, said = [], []
    subtracted = (
        "dispute|chargeback" if "dispute" in columns else "$^"
    )  # their money is, and the rest of the order counts
    for column in [c for c in sample.columns if not re.search(subtracted, letters(c))]:
        name = next((n for n, c in columns.items() if c == column), None)
        if name in {"customer_id", "date", "order_id", "currency", *ROLES}:
            continue
        few = sample[column].dropna().astype(str)
        key = name or ("status" if "status" not in columns and "status" not in found["columns"] else letters(column))
        flag = flag_meaning(column, few.unique())
        by_amount = "refunded" in columns and flag is not None and flag[0] == "refunded"
        if flag is not None and not by_amount and _says(few, flag[1]) < 0.6 * len(sample):
            key = name or letters(column)
            found["columns"][key], found["exclude"][key] = column, flag[1]
            lines = few.isin(flag[1]) if flag[1] != ["*"] else few.str.strip().ne("")
            gone = lines[lines].index
            said.append(f"Excluded by {column!r}: {len(gone):,} lines, {money.loc[gone].sum():,.2f}.")
            continue
        if few.nunique() > 60 or column in _held_back(settings):
            continue
        values = to_pandas(raw.select(v=raw[column].cast("string")).distinct().limit(100))["v"].dropna().tolist()
        words = status_words(column, values)
        if words is None:
            continue
        rows = sample[column].astype("string").groupby(sample[column].astype("string")).size()
        sums = money.groupby(sample[column].astype("string")).sum()
        already = settings.get("exclude", {}).get(name, []) if name else []
        pays_back = {v for v in words if sums.get(v, 0.0) < 0}
        none = [
            v for v, m in words.items() if m in {"refunded", "cancelled", "failed", "unpaid"} and v not in pays_back
        ]
        left = [v for v, m in words.items() if m == "open" and v not in pays_back and v not in already]
        unknown = [v for v, m in words.items() if m is None and v not in already]
        if set(none) <= set(already) and not left and not (unknown and name is None):
            continue
        found["columns"][key] = column
        out = [*already, *[v for v in none if v not in already]]
        listed = partial(_with_money, rows=rows, sums=sums)
        if none:
            found["exclude"][key] = sorted(out)
            said.append(f"Excluded by {column!r}: {listed(none)}.")
        if left:
            asked.append(Question(
                f"{column!r} says of some orders that they are open: {listed(left)}.",
                (Choice("they are excluded", {"columns": {key: column}, "exclude": {key: sorted([*out, *left])}}),
                 Choice("they count as sales", {"columns": {key: column}, "exclude": {key: sorted(out) or None}})),
            ))  # fmt: skip
        if unknown and is_status_name(column):
            more = sorted([*out, *left, *unknown])
            by_value = (
                "; ".join(f"`exclude: {{{key}: [{v}]}}` for {v} alone" for v in unknown[:6]) if len(unknown) > 1 else ""
            )
            asked.append(Question(
                f"{column!r} holds what is not known: {listed(unknown)}.",
                (Choice("they count as sales"), Choice("they are excluded", {"columns": {key: column}, "exclude": {key: more}}),
                 *([Choice(f"some are: {by_value}", {"columns": {key: column}})] if by_value else [])),
            ))  # fmt: skip
    return found, asked, said


def _documents(raw: Any, sample: pd.DataFrame, settings: dict[str, Any]) -> _Found:
    """What kind of document a line is: returns take money back whatever their sign, payments and quotes are no sales."""
    columns, money = settings["columns"], _amounts(sample, settings)
    ruled = {
        "customer_id",
        "date",
        "order_id",
        "currency",
        *ROLES,
        *settings.get("exclude", {}),
        *settings.get("returns", {}),
    }
    taken = {c for n, c in columns.items() if n in ruled}
    for column in [c for c in sample.columns if c not in taken and sample[c].nunique() <= 20]:
        kinds = documents(column, sample[column].dropna().unique())
        if kinds is None:
            continue
        text = sample[column].astype("string")
        rows, sums = text.groupby(text).size(), money.groupby(text).sum()
        name = next(
            (n for n, c in columns.items() if c == column), "type" if "type" not in columns else letters(column)
        )
        back = [v for v, kind in kinds.items() if kind == "back" and (money[text.eq(v).fillna(False)] > 0).any()]
        none = [v for v, kind in kinds.items() if kind == "none"]
        found: dict[str, Any] = {"columns": {name: column}} if back or none else {}
        found |= {"returns": {name: back}} if back else {}
        found |= {"exclude": {name: none}} if none else {}
        listed = partial(_with_money, rows=rows, sums=sums)
        said = [f"By {column!r} money was paid back: {listed(back)}."] if back else []
        said += [f"Excluded by {column!r}, as no sale: {listed(none)}."] if none else []
        return found, [], said
    return {}, [], []


def _says(few: pd.Series, values: list[str]) -> int:
    """In how many lines a flag is up."""
    return int((few.str.strip().ne("") if values == ["*"] else few.isin(values)).sum())


def _held_back(settings: dict[str, Any]) -> set[str]:
    """The columns that tell which lines take money back."""
    return {settings["columns"][name] for name in settings.get("returns", {})}


def _with_money(values: list[str], rows: pd.Series, sums: pd.Series) -> str:
    """Values of a status with the lines and the money of each."""
    return ", ".join(f"{v} ({rows.get(v, 0):,} lines, {sums.get(v, 0.0):,.2f})" for v in values)


def _gift_cards(raw: Any, sample: pd.DataFrame, settings: dict[str, Any]) -> _Found:
    """Cards that are bought now and spent later would count twice."""
    columns = settings["columns"]
    for column in [c for c in sample.columns if _GOODS.search(letters(c)) and not _OTHER_TEXT.search(letters(c))]:
        values = sample[column].dropna().astype(str)
        cards = sorted({v for v in values.unique() if is_gift_card(v)})
        if not cards:
            continue
        lines = sample[column].astype("string").isin(cards)
        whole = _amounts(sample, settings)[lines].sum()
        key = next((n for n, c in columns.items() if c == column), "product")
        alone = True
        if "order_id" in columns:
            orders = sample[columns["order_id"]]
            alone = bool((orders[orders.isin(orders[lines])].value_counts() == 1).all())
        by_line = settings.get("amount_of") != "order" and not _first_line_alone(sample, settings)
        out = {"columns": {key: column}, "exclude": {**settings.get("exclude", {}), key: cards}}
        choices = (Choice("cards are excluded, and what is bought with them counts", out),
                   Choice("cards count as sales, and what is bought with them again", {}))  # fmt: skip
        text = f"{int(lines.sum()):,} lines sell gift cards ({', '.join(cards[:3])}), worth {whole:,.2f}; what they buy counts too."
        if alone or by_line:
            return {}, [Question(text, choices)], []
        return {}, [Question(f"{text} Some stand in orders with other goods, so that they cannot be taken out alone.",
                             (Choice("cards count as sales, and what is bought with them again"), Choice("write `exclude:` by hand")))], []  # fmt: skip
    return {}, [], []


def _first_line_alone(sample: pd.DataFrame, settings: dict[str, Any]) -> bool:
    """Whether an order's money stands on its first line, as shops write it."""
    columns = settings["columns"]
    if "order_id" not in columns or "amount" not in columns:
        return False
    filled = sample[columns["amount"]].astype("string").str.strip().fillna("").ne("")
    return bool((~filled).groupby(sample[columns["order_id"]]).any().any())


def _alike_lines(raw: Any, sample: pd.DataFrame, settings: dict[str, Any]) -> _Found:
    """Lines of one order that are equal in every column: copies, or pieces of one price where no column names the product."""
    columns = settings["columns"]
    if "order_id" not in columns or settings.get("amount_of") == "order":
        return {}, [], []
    order = sample[columns["order_id"]]
    copies = sample.duplicated() & order.notna()
    if copies.sum() < max(2, 0.02 * len(sample)):
        return {}, [], []
    distinct = sample.drop_duplicates()
    money = columns.get("amount") or columns.get("unit_price")
    same = [c for c in distinct.columns if c != money]
    differ = (
        distinct.groupby(distinct[columns["order_id"]])[same].nunique(dropna=False).max(axis=None)
        if len(same) > 1
        else 1
    )
    lines = int((distinct[columns["order_id"]].value_counts() > 1).sum())
    money_of = _amounts(sample, settings)
    drop = Choice(f"they are copies, and count once (less {money_of[copies].sum():,.2f})", {"repeats": None})
    keep = Choice(f"they are pieces of the same price, and count ({money_of[copies].sum():,.2f})", {"repeats": "keep"})
    text = f"{int(copies.sum()):,} lines are equal to another of their order in every column."
    return {}, [Question(text, (keep, drop) if lines and differ <= 1 else (drop, keep))], []


def _zeros(raw: Any, sample: pd.DataFrame, settings: dict[str, Any]) -> _Found:
    """Ids with leading zeros in some lines and without in others, as a spreadsheet leaves them."""
    column = settings["columns"]["customer_id"]
    held = raw.select(who=as_id(as_text(raw[column]))).distinct()
    whole = held.filter(held.who.re_search(r"^\d+$")).mutate(bare=lambda t: t.who.re_replace(r"^0+(\d)", r"\1"))
    again = whole.group_by("bare").aggregate(n=whole.who.nunique())
    several = int(to_pandas(again.aggregate(several=(again.n > 1).sum()).fill_null(0))["several"].iloc[0])
    if not several:
        return {}, [], []
    text = f"{several:,} customers are written with leading zeros and without, such as 00123 and 123: they are taken for one."
    return {"ids": "number"}, [], [text]


_GOODS = re.compile(
    r"product|produ[kc]?t|prodott|item|articl|artikel|descri|bezeichn|design|title|category|categori|kategor|^name$|goods|ware|sku|denominac|nombre"
)
_OTHER_TEXT = re.compile(
    r"customer|client|kunde|buyer|person|company|firma|shipping|billing|payment|discount|code|nombredel?cliente"
)


def _currencies(raw: Any, sample: pd.DataFrame, settings: dict[str, Any]) -> _Found:
    """Several currencies: all but one are left out until rates are given."""
    column = settings["columns"].get("currency")
    if column is None:
        return {}, [], []
    named = sample[column].dropna().astype(str).str.strip()
    named = named[named.ne("")]
    if named.str.upper().nunique() < 2:
        return {}, [], []
    sums = _amounts(sample, settings).groupby(sample[column].astype("string")).sum()
    main = named.str.upper().mode().iloc[0]
    others = sorted({v for v in named.unique() if v.upper() != main})
    listed = ", ".join(f"{v} ({sums.get(v, 0.0):,.2f})" for v in others)
    out = {**settings.get("exclude", {}), "currency": others}
    rates = ", ".join(f"{v.upper()}: …" for v in dict.fromkeys(o.upper() for o in others))
    whole = _converted(sample, settings, named, main)
    return {}, [Question(
        f"Amounts are in {main} and in {listed}.",
        (*([Choice(f"{whole!r} holds all of them in {main}", {"columns": {"amount": whole, "currency": None}})] if whole else []),
         Choice(f"only those in {main} count", {"exclude": out, "columns": {"amount": settings["columns"].get("amount"), "currency": column}}),
         Choice(f"write `rates: {{{rates}}}`, what one unit is worth in {main}, and take these currencies out of `exclude:`")),
    )], []  # fmt: skip


def _converted(sample: pd.DataFrame, settings: dict[str, Any], currencies: pd.Series, main: str) -> str | None:
    """A further column that holds every amount in the main currency, as its name says and its own rows show."""
    lead = settings["columns"].get("amount")
    named = [c for c in sample.columns if c != lead and re.search(rf"(^|[\W_]){main}([\W_]|$)", str(c), re.IGNORECASE)]
    for column in [c for c in named if lead is not None and role_of(c) in {"amount", "order_total", "line_total"}]:
        both = (
            _amounts(sample, {**settings, "columns": {"amount": lead}}),
            _amounts(sample, {**settings, "columns": {"amount": column}}),
        )
        same = (both[0] - both[1]).abs() <= 0.0101
        own = currencies.reindex(sample.index).str.upper().eq(main)
        if own.any() and same[own].mean() >= 0.95 and not same[~own].all():
            return str(column)
    return None


_GUEST = {"0", "guest", "guests", "gast", "invitado", "ospite", "invite", "walk-in", "walk-in customer", "walkin", "laufkundschaft", "barverkauf",
          "anonymous", "anonym", "cash", "cash customer", "default customer", "kunde", "-1"}  # fmt: skip


def _guests(
    sample: pd.DataFrame, settings: dict[str, Any], given: dict[str, str]
) -> tuple[dict[str, str], list[str], list[Question]]:
    """Where many customers share the id of a guest, they are told apart by the e-mail address beside it, or are no customer."""
    mapping = settings["columns"]
    column = mapping["customer_id"]
    text = sample[column].dropna().astype(str).str.strip().str.lower().str.removesuffix(".0")
    guests = text[text.isin(_GUEST)]
    counts = text.value_counts()
    if "customer_id" in given or guests.empty or len(counts) < 2:
        return mapping, [], []
    name = guests.mode().iloc[0]
    if counts[name] < max(
        0.02 * len(text), counts.drop(name).max() + 1
    ):  # no more often than anybody: an id like others
        return mapping, [], []
    others = [
        c
        for c in sample.columns
        if c not in mapping.values() and are_addresses(sample[c]) and sample[c].notna().mean() > 0.9
    ]
    if others:
        said = f"{len(guests):,} lines are of {name!r} in {column!r}, which is no customer: customers are told apart by {others[0]!r}."
        return mapping | {"customer_id": str(others[0])}, [said], []
    written = sorted(sample.loc[guests.index[guests.eq(name)], column].astype(str).str.strip().unique())
    money = _amounts(sample, settings).loc[guests.index].sum()
    out = {**settings.get("exclude", {}), "customer_id": written}
    return mapping, [], [Question(
        f"{len(guests):,} lines ({money:,.2f}) are of {name!r} in {column!r}: many people, and no customer.",
        (Choice("they are excluded", {"exclude": out}), Choice("they count as one customer", {"exclude": settings.get("exclude")})),
    )]  # fmt: skip


def _whose(who: pd.Series, column: str) -> list[str]:
    """Say where customers are names of persons, or differ on every line."""
    text = who.dropna().astype(str).str.strip()
    if len(text) == 0 or are_addresses(who):
        return []
    persons = text.str.fullmatch(r"[^\W\d_]+\.?([ ,.'-]+[^\W\d_]+\.?){1,4}").mean()
    said = []
    if persons > 0.6:
        said.append(f"Customers are told apart by names of persons in {column!r}: two people of one name are one customer, "
                    "and one who is written in two ways is two. Export an id or an e-mail address.")  # fmt: skip
    if len(text) >= 20 and text.is_unique:
        said.append(f"Each line has another customer in {column!r}: if that is a number of orders, name the column of customers with "
                    "--column customer_id=COLUMN.")  # fmt: skip
    return said


def _a_file(path: Path) -> Path:
    if path.is_dir():
        raise ClientError(f"{path}: is a folder; name the file of orders in it")
    if not path.is_file():
        raise ClientError(f"{path}: no such file")
    return path


def are_addresses(ids: pd.Series) -> bool:
    """Whether customers are told apart by e-mail addresses.

    Examples
    --------
    >>> are_addresses(pd.Series(["anna@example.org", None, "ben@example.org"]))
    True
    """
    filled = ids.dropna().astype(str)
    return len(filled) > 0 and bool(filled.str.fullmatch(r"\s*[^@\s]+@[^@\s]+\.[^@\s]+\s*").mean() > 0.5)


def columns_of(file: str | Path) -> list[str]:
    """Return the names of a file's columns.

    Raises
    ------
    ClvnbError
        When the file cannot be opened as a table.
    """
    path = _a_file(Path(file))
    raw = open_source(Source(source=str(path.resolve()), **_text_settings(path)), Path("/")).table
    return [str(c) for c in raw.columns]


def propose_survey(file: str | Path, folder: str | Path) -> Proposal:
    """Look at a file of survey answers and propose how to read it.

    Answers may stand one a line, with a column that names the question's metric, or one form a line, with a column per question;
    which of those measure satisfaction is told from their words.

    Parameters
    ----------
    file : path
    folder : path
        The client's folder, to which the path in the proposal is relative.

    Returns
    -------
    Proposal
        Of the ``surveys:`` part of ``client.yaml``.

    Raises
    ------
    ClientError, TableError
        When the file is not a table, or no day, score or known question can be told.
    """
    path = Path(file)
    if not path.is_file():
        raise ClientError(f"{path}: no such file of survey answers")
    text = _text_settings(path)
    raw = open_source(Source(source=str(path.resolve()), **text), Path("/")).table
    sample = to_pandas(raw.limit(20_000))
    present = [str(c) for c in sample.columns]
    known = known_survey(present)
    mapping = known.mapping(present) if known else {}
    for name, words in _SURVEY_NAMES.items():
        hits = [c for w in words.split() for c in present if letters(c) == w and c not in mapping.values()]
        if name not in mapping and hits:
            mapping[name] = hits[0]
    taken = set(mapping.values())
    questions = {c: m for c in present if (m := metric_of(c)) and c not in taken - {mapping.get("score")}}
    if {"metric", "score"} <= set(mapping):
        questions = {}
    else:
        mapping = {n: c for n, c in mapping.items() if n not in {"metric", "score"}}
    if "date" not in mapping or not (questions or "score" in mapping):
        lacking = (
            "the day of an answer" if "date" not in mapping else "a question on satisfaction, recommending or effort"
        )
        raise ClientError(
            f"{path}: cannot tell {lacking}; it has: {', '.join(map(repr, present))}. Write `surveys:` into client.yaml by hand: "
            '`columns:` for customer_id and date, `questions: {"COLUMN": nps, csat or ces}`'
        )
    if "customer_id" in mapping and sample[mapping["customer_id"]].isna().all():
        del mapping["customer_id"]
    settings: dict[str, Any] = {
        "source": os.path.relpath(path.resolve(), Path(folder).resolve()),
        **text,
        "columns": mapping,
    }
    settings |= _date_settings(path, raw, mapping["date"], None, least=0.5)
    settings |= known.extras(present) if known else {}
    if "customer_id" in mapping and are_addresses(sample[mapping["customer_id"]]):
        settings["hash_ids"] = True
    settings |= {"questions": questions} if questions else {}
    asked = [(metric, column, str(sample[column].dropna().iloc[-1]) if sample[column].notna().any() else "")
             for column, metric in questions.items()]  # fmt: skip
    rows = [(n, c, str(sample[c].dropna().iloc[-1]) if sample[c].notna().any() else "") for n, c in mapping.items()]
    table = pd.DataFrame(rows + asked, columns=["meaning", "column", "example"])
    said = f"An export of {known.program}. " if known else ""
    nobody = "" if "customer_id" in mapping else " No column says who answered, so answers cannot be tied to purchases."
    return Proposal(
        settings, Finding(table, f"{said}{len(sample):,} answers or forms were looked at.{nobody}"), None, known
    )


def _text_settings(path: Path) -> dict[str, Any]:
    """Encoding and delimiter of a text file, where they are not the usual ones."""
    path = Path(unpacked([str(path)])[0]) if path.stat().st_size else path
    if Path(str(path).removesuffix(".gz")).suffix.lower() not in TEXT_FILES or path.stat().st_size == 0:
        return {}
    encoding = find_encoding(path)
    delimiter = find_layout(path, encoding=encoding).delimiter
    return ({"encoding": encoding} if encoding != "utf-8" else {}) | (
        {"delimiter": delimiter} if delimiter != "," else {}
    )


def _mapping(path: Path, sample: pd.DataFrame, given: dict[str, str], known: Export | None) -> dict[str, str]:
    present = [str(c) for c in sample.columns]
    unknown = [name for name in given if name not in _NAMES and name not in ROLES]
    if unknown:
        raise ClientError(
            f"--column {unknown[0]}={given[unknown[0]]}: {unknown[0]!r} is no meaning that clvnb knows"
            f"{closest(unknown[0], _NAMES)}; write one of {', '.join(_NAMES)}"
        )
    mapping = (known.mapping(present) if known else {}) | given
    for name, words in _NAMES.items():
        if name in mapping or name in _NOT_GUESSED:
            continue
        for word in words.split():
            hits = [c for c in present if letters(c) == word and c not in mapping.values()]
            if hits:
                mapping[name] = hits[0]
                break
    taken = set(mapping.values())
    found = {
        "currency": _of_currencies(sample, taken),
        "amount": _by_role(present, taken) or next((c for c in present if c not in taken and holds_cents(c)), None),
    }
    mapping |= {n: c for n, c in found.items() if c and n not in mapping}
    by_parts = known is not None and "amount" in known.extras(present)
    missing = [n for n in ("customer_id", "date", "amount") if n not in mapping and not (n == "amount" and by_parts)]
    months = [c for c in present if _MONTH.fullmatch(str(c).strip())]
    if missing and len(months) > 2:
        raise ClientError(
            f"{path}: has a column for each month ({months[0]!r} to {months[-1]!r}), so it is a summary and no list of orders; "
            "export the orders themselves, one line each with customer, date and amount"
        )
    if missing:
        flags = " ".join(f"--column {n}=COLUMN" for n in missing)
        raise ClientError(
            f"{path}: cannot tell which column is the {' and the '.join(missing)}; "
            f"it has: {', '.join(map(repr, present))}. Say it with {flags}"
        )
    wrong = [c for c in mapping.values() if c not in present]
    if wrong:
        raise ClientError(f"{path}: has no column {wrong[0]!r}; it has: {', '.join(map(repr, present))}")
    return mapping


def _of_currencies(sample: pd.DataFrame, taken: set[str]) -> str | None:
    """The column whose values are codes of currencies, whatever it is called."""
    from babel.numbers import list_currencies

    codes = list_currencies()
    for column in [c for c in sample.columns if c not in taken]:
        held = sample[column].dropna().astype(str).str.strip().str.upper()
        held = held[held.ne("")]
        few = set(held.unique()) if held.nunique() <= 30 else set()
        if (
            few
            and few <= codes
            and (len(few) > 1 or "curr" in letters(column))
            and few & {"EUR", "USD", "GBP", "CHF", "JPY"}
        ):
            return str(column)
    return None


def _by_role(present: list[str], taken: set[str]) -> str | None:
    """The column that is an amount by its name in another language, or the price where counts make it one."""
    roles = {c: role_of(c) for c in present if c not in taken}
    wanted = ("line_total", "order_total", "amount", "subtotal", "unit_price", "paid")
    return next((c for r in wanted for c, role in roles.items() if role == r), None)


def _date_settings(path: Path, raw: Any, column: str, given: str | None, least: float = 0.9) -> dict[str, str]:
    """The date format that reads nearly every value, ISO before others; two that do are a question."""
    if given is not None:
        return {"date_format": given}
    if raw[column].type().is_temporal():
        return {}
    tried = [None, *NUMBERED_DAYS, *_DATE_FORMATS]
    few = to_pandas(raw.select(v=raw[column].cast("string").strip().nullif("")).limit(1000))["v"].dropna().unique()[:50]
    tried = [f for f in tried if f is None or f in NUMBERED_DAYS or any(_is_day(v, f) for v in few)]
    values = {f"f{k}": as_date(raw[column], f, "UTC").count() for k, f in enumerate(tried)}
    written = raw[column].cast("string").nullif("")
    counts = to_pandas(raw.aggregate(all=written.count(), **values)).iloc[0]
    whole = [f for k, f in enumerate(tried) if counts[f"f{k}"] >= least * counts["all"] > 0]
    best = [f for f in whole if counts[f"f{tried.index(f)}"] == max(counts[f"f{tried.index(w)}"] for w in whole)]
    if not best:
        example = _example(raw, column)
        raise ClientError(
            f"{path}: the dates in {column!r}, such as {example!r}, are in no known format; say it with "
            "--date-format, for example --date-format '%d.%m.%Y'"
        )
    if len(best) > 1 and best[0] is not None:
        shown = " or ".join(f"--date-format '{f}'" for f in best)
        example = _example(raw, column)
        raise ClientError(
            f"{path}: the dates in {column!r}, such as {example!r}, can be read in {len(best)} ways; decide with {shown}"
        )
    return {"date_format": best[0]} if best[0] else {}


def _is_day(text: str, date_format: str) -> bool:
    """Whether a text is worth trying with a format: the engine decides."""
    try:
        datetime.strptime(re.sub(r"([+-])(\d)$", r"\g<1>0\g<2>00", text), date_format)
    except ValueError:
        return False
    return True


def _example(raw: Any, column: str) -> str:
    filled = raw.select(value=raw[column].cast("string").nullif(""))
    return str(to_pandas(filled.filter(filled.value.notnull()).limit(1))["value"].iloc[0])


def _number_settings(path: Path, raw: Any, columns: list[str], given: str | None) -> dict[str, str]:
    """The way of writing numbers that reads most values; two that read them differently are a question."""
    columns = [c for c in columns if raw[c].type().is_string()]
    if not columns:
        return {}
    column, styles = columns[0], [s for s in _NUMBER_STYLES if given in {None, s[0]}]
    aims: dict[str, Any] = {"all": raw[column].nullif("").count()}
    for k, (d, t) in enumerate(styles):
        for j, c in enumerate(columns):
            number = as_number(raw[c], d, t)
            aims |= {f"n{k}_{j}": number.count(), f"s{k}_{j}": number.sum()}
    facts = connection().execute(raw.aggregate(**aims)).iloc[0].fillna(0.0)
    count = [sum(facts[f"n{k}_{j}"] for j in range(len(columns))) for k in range(len(styles))]
    sums = [[round(float(facts[f"s{k}_{j}"]), 2) for j in range(len(columns))] for k in range(len(styles))]
    example = _example(raw, column)
    if max(facts[f"n{k}_0"] for k in range(len(styles))) < 0.5 * facts["all"]:
        raise ClientError(
            f"{path}: the column {column!r} does not hold amounts, such as {example!r}; name another one with "
            "--column amount=COLUMN"
        )
    best = [k for k in range(len(styles)) if count[k] == max(count)]
    if any(sums[k] != sums[best[0]] for k in best):
        odd = next(j for j in range(len(columns)) if len({sums[k][j] for k in best}) > 1)
        column, example = columns[odd], _example(raw, columns[odd])
        raise ClientError(
            f"{path}: the amounts in {column!r}, such as {example!r}, can be read in two ways; decide with "
            "--decimal . or --decimal ,"
        )
    decimal, thousands = styles[best[0]]
    if len(best) > 1:  # they read the same; one that knows thousands reads next month's larger amounts too
        thousands = {",": ".", ".": ","}[decimal]
    out = {} if decimal == "." else {"decimal": decimal}
    return out | ({"thousands": thousands} if thousands else {})


def _currency(sample: pd.DataFrame, settings: dict[str, Any]) -> str | None:
    """The one currency that the file names, by a column or by the sign beside its amounts."""
    mapping = settings["columns"]
    if "currency" in mapping:
        named = sample[mapping["currency"]].dropna().astype(str).str.strip()
        named = named[~named.isin(settings.get("exclude", {}).get("currency", []))].str.upper()
        named = named[named.ne("")].unique()
        return str(named[0]) if len(named) == 1 and re.fullmatch(r"[A-Z]{3}", named[0]) else None
    money = [n for n in (names_in(settings["amount"]) if "amount" in settings else ("amount",)) if n != "quantity"]
    signs = (
        sample[mapping[money[0] if money else "quantity"]].astype(str).str.extract(f"({CURRENCY})")[0].dropna().unique()
    )
    if len(signs) != 1:
        return None
    return SIGNS.get(signs[0], (signs[0],))[0]


def _say(sample: pd.DataFrame, raw: Any, settings: dict[str, Any], known: Export | None) -> Finding:
    rows = []
    columns = settings["columns"]
    for name, column in columns.items():
        example = sample[column].dropna().iloc[0] if sample[column].notna().any() else ""
        read_as = str(example)
        if name == "customer_id" and settings.get("hash_ids"):
            read_as = "a code of 16 signs"
        elif name == "date":
            day = as_date(raw[column], settings.get("date_format"), "UTC", settings.get("dates_in"))
            example, read_as = _first_read(raw.select(written=raw[column].cast("string"), read=day))
            read_as = read_as[:10]
        elif name == "amount":
            number = as_number(raw[column], settings.get("decimal", "."), settings.get("thousands", ""))
            example, read_as = _first_read(raw.select(written=raw[column].cast("string"), read=number))
        rows.append((name, column, str(example), read_as))
    table = pd.DataFrame(rows, columns=["meaning", "column", "example", "read_as"])
    spare = [c for c in sample.columns if c not in settings["columns"].values()]
    text = f"An export of {known.program}. {known.note} " if known else ""
    if settings.get("hash_ids") and not known:
        text += "Customers are e-mail addresses; each is replaced by a code, so that reports carry no contact data. "
    text += f"{len(rows)} of {len(sample.columns)} columns are used."
    return Finding(table, text + (f" Not used: {', '.join(map(str, spare))}." if spare else ""))


def _first_read(pairs: Any) -> tuple[str, str]:
    """The first value that could be read, as it was written and as it was read."""
    found = to_pandas(pairs.filter(pairs.read.notnull()).limit(1))
    return ("", "") if found.empty else (str(found["written"].iloc[0]), str(found["read"].iloc[0]))


_CONTRACT_NAMES = {
    "customer_id": _NAMES["customer_id"],
    "start": "start startdate startedat startsat begin begindate contractstart validfrom from beginn vertragsbeginn startdatum createdat created debut inicio inizio",
    "end": "end enddate endedat endsat contractend validto validuntil until to canceledat cancelledat cancelleddate churndate ende vertragsende "
    "enddatum kundigungsdatum fin termino fine expirydate",
    "price": "price amount mrr monthlyprice planamount fee preis betrag beitrag monatsbeitrag prix precio prezzo unitprice",
    "billing": "billing period billingperiod interval billinginterval billingcycle billingfrequency planinterval turnus zahlungsweise abrechnungszeitraum",
    "plan": "plan planname subscriptionplan product productname tarif produkt",
    "quantity": "quantity seats qty licenses licences users menge platze",
    "status": "status state subscriptionstatus",
    "cancel_reason": "reason cancelreason cancellationreason churnreason grund kundigungsgrund",
    "contract_id": "contractid subscriptionid subid contractno contractnumber vertragsnummer vertragsnr",
}  # fmt: skip


def propose_contracts(file: str | Path, folder: str | Path) -> Proposal:
    """Look at a file of contracts and propose how to read it.

    Parameters
    ----------
    file : path
    folder : path
        The client's folder, to which the path in the proposal is relative.

    Returns
    -------
    Proposal
        Of the ``contracts:`` part of ``client.yaml``.

    Raises
    ------
    ClientError, TableError
        When the file is not a table, or the customer, the start or the price cannot be told.
    """
    path = _a_file(Path(file))
    text = _text_settings(path)
    raw = open_source(Source(source=str(path.resolve()), **text), Path("/")).table
    sample = to_pandas(raw.limit(20_000))
    present: list[str] = [str(c) for c in sample.columns]
    mapping: dict[str, str] = {}
    for name, words in _CONTRACT_NAMES.items():
        hits = [c for w in words.split() for c in present if letters(c) == letters(w) and c not in mapping.values()]
        if hits:
            mapping[name] = hits[0]
    if letters(mapping.get("price", "")) in {"mrr", "amount", "planamount", "betrag"}:  # of all seats together
        mapping.pop("quantity", None)
    missing = [n for n in ("customer_id", "start", "end", "price") if n not in mapping]
    if missing:
        raise ClientError(
            f"{path}: cannot tell which column is the {' and the '.join(missing)} of contracts; it has: {', '.join(map(repr, present))}. "
            "Write `contracts:` into client.yaml by hand: `columns:` for customer_id, start, end and price"
        )
    settings: dict[str, Any] = {
        "source": os.path.relpath(path.resolve(), Path(folder).resolve()),
        **text,
        "columns": mapping,
        **_date_settings(path, raw, mapping["start"], None),
        **_number_settings(path, raw, [mapping["price"]], None),
    }
    rows = [(n, c, str(sample[c].dropna().iloc[0]) if sample[c].notna().any() else "") for n, c in mapping.items()]
    table = pd.DataFrame(rows, columns=["meaning", "column", "example"])
    return Proposal(settings, Finding(table, f"{len(sample):,} contracts were looked at."))


def client_yaml(
    proposal: Proposal,
    *,
    name: str,
    currency: str,
    timezone: str,
    margin: float | None,
    kind: str = "shop",
    survey: Proposal | None = None,
    more: dict[str, Any] | None = None,
    questions: tuple[Question, ...] = (),
) -> str:
    """Return the text of ``client.yaml``, with the choices that only the client can make marked."""
    head = {"name": name, "kind": kind, "currency": currency, "timezone": timezone}
    parts = {"transactions": proposal.settings} | (more or {}) | ({"surveys": survey.settings} if survey else {})
    body = yaml.safe_dump(head | parts, sort_keys=False, allow_unicode=True, width=100)
    rate = f"  margin: {margin}\n" if margin is not None else (
        "  # margin: 0.40   share of revenue that is left after the cost of goods; without it values are revenue\n"
    )  # fmt: skip
    return f"{_as_comments(questions)}{body}economics:\n{rate}  discount_rate: 0.10\n  horizon: 3 years\n"


def _as_comments(questions: tuple[Question, ...]) -> str:
    """Open questions above the settings, each with the settings that every answer would make."""
    lines = []
    for question in questions:
        lines += ["", f"Open question: {question.text}"]
        for k, choice in enumerate(question.choices):
            lines.append(f"  {k + 1}. {choice.text}{' (taken below)' if k == 0 else ''}")
            keys = {n: v for n, v in choice.settings.items() if v not in (None, {})}
            plain = {
                n: {m: w for m, w in v.items() if w is not None} if isinstance(v, dict) else v for n, v in keys.items()
            }
            gone = [n for n, v in choice.settings.items() if v is None]
            if gone and k:
                lines.append(f"     without `{'`, `'.join(gone)}`")
            if plain and k:
                lines += [
                    "     " + line
                    for line in yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=90).splitlines()
                ]
    return "".join(f"# {line}".rstrip() + "\n" for text in lines for line in (text.splitlines() or [""]))
