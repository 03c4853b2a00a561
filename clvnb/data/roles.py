"""Which column of an export means what: by its name in many languages, and by arithmetic where names leave it open.

In: the columns of a file, and numbers of some of its rows. Out: ``Basis``, by which columns an amount is made; what names and
arithmetic leave open is a ``Question``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

__all__ = [
    "ROLES",
    "Basis",
    "Choice",
    "Question",
    "answered",
    "find_basis",
    "holds_cents",
    "is_net",
    "letters",
    "role_of",
]

# Words by which programs and people name the parts of an amount; matched without signs, accents and words on tax.
ROLES = {
    "quantity": "quantity count nights nachte nuits noches qty qtysold qtyordered soldqty noofitems numberofitems itemcount anzahlartikel cases tickets quantityordered orderquantity itemquantity lineitemquantity itemqty units unitssold pieces pcs menge anzahl stuck "
    "stuckzahl stueck quantite qte nombre cantidad cant unidades quantita qta quantidade qtd qtde hoeveelheid aantal antal maara kpl ilosc "
    "liczba mnozstvi pocet cantitate mennyiseg adet miktar количество кількість кол-во 数量 個数 수량",
    "quantity_returned": "returnedquantity returnedqty qtyreturned quantityreturned refundedquantity quantityrefunded qtyrefunded returnquantity "
    "retourmenge ruckgabemenge cantidaddevuelta quantiteretournee",
    "unit_price": "price unitprice ticketprice seatprice unitpriceinclvat unitpriceinclusivevat itemprice lineitemprice salesprice saleprice sellingprice priceperunit priceperitem priceeach rateeach preiseach prixeach precioeach pricepaid itemcost "
    "einzelpreis stuckpreis stueckpreis preis verkaufspreis artikelpreis preisprostuck prixunitaire prix pu preciounitario precio "
    "prezzounitario prezzo precounitario preco valorunitario stukprijs eenheidsprijs prijs styckpris stykkpris pris apris enhetspris "
    "yksikkohinta hinta cenajednostkowa cena cenazajednotku pretunitar pret egysegar ar birimfiyat fiyat цена ціна 単価 价格 单价 단가",
    "line_total": "linetotal extendedamount netvalue zeilenbetrag finalprice totalline lineamount extendedprice lineitemtotal itemtotal rowtotal linesales netsales positionssumme zeilensumme "
    "positionsbetrag positionspreis montantligne totalligne importelinea totallinea totalriga importoriga totallinha regeltotaal radsumma "
    "linjesum wartoscpozycji wartosc",
    "subtotal": "subtotal ordersubtotal subtotalamount ordersubtotalamount merchandisetotal itemstotal productstotal goodsvalue zwischensumme "
    "warenwert soustotal totalproduits subtotale subtotalpedido subtotaal delsumma",
    "order_total": "ordertotal receipttotal carttotal baskettotal total grandtotal totalprice invoicetotal ordervalue orderamount totalamount invoiceamount amounttotal totalsales bestellsumme "
    "bestellwert gesamtbetrag gesamtsumme gesamtpreis gesamt summe rechnungsbetrag endbetrag auftragssumme montanttotal totalcommande "
    "totalttc prixtotal totalpedido importetotal preciototal totaleordine totale prezzototale totalgeral totalgeneral valortotal precototal "
    "totaalbedrag totaal totaalprijs ordersumma summa totalt totaltpris sumatotal suma razem celkem celkovacena totalcomanda osszesen toplam "
    "итого всего сумма 合計 总计 합계",
    "amount": "amount grosssales salesamount paymentvalue dollarvalue revenue netamount sales value sum betrag umsatz montant importe monto importo valor bedrag belopp belob summa "
    "kwota castka suma osszeg tutar сумма gross net netto brutto 金額 金额 금액",
    "discount": "discount disc discounts discountscomps discountamount totaldiscount totaldiscounts orderdiscount linediscount lineitemdiscount coupondiscount couponamount "
    "promotiondiscount rabatt rabattbetrag nachlass preisnachlass skonto remise reduction rabais montantremise descuento descuentos "
    "importedescuento sconto sconti desconto descontos valordesconto korting rabat rabatbelob alennus znizka sleva reducere discountvalue "
    "kedvezmeny indirim скидка знижка 割引 割引額 折扣 할인",
    "tax": "tax taxes taxamount taxtotal totaltax salestax ordertax vat vatamount totalvat gst gstamount mwst mwstbetrag mehrwertsteuer ust umsatzsteuer "
    "steuer steuern steuerbetrag tva montanttva totaltva taxe iva importeiva igic impuesto impuestos imposta imposto impostos btw "
    "btwbedrag moms momsbelop mva alv vero podatek podatekvat kwotavat dph tvatotal afa kdv ндс пдв 税 税額 消費税 税额 부가세",
    "dispute": "dispute disputes disputed disputeamount disputedamount amountdisputed disputelost chargeback chargebacks chargebackamount "
    "amountchargedback chargedbackamount ruckbuchung ruckbuchungsbetrag contracargo contracargos",
    "shipping": "shipping tip tips tipamount totaltip gratuity trinkgeld propina pourboire mancia gorjeta fooi napiwek dricks drikkepenge bacsis shippingamount shippingcost shippingcosts shippingtotal shippingprice shippingfee shippingandhandling shippingcharged ordershippingamount "
    "delivery deliverycost deliveryfee postage postageandpacking freight versand versandkosten lieferkosten porto fraisdeport fraisdelivraison "
    "livraison port envio gastosdeenvio costeenvio spedizione spesedispedizione costospedizione frete valorfrete verzendkosten verzending "
    "frakt fraktkostnad fragt toimitus toimituskulut wysylka dostawa kosztdostawy kosztwysylki doprava postovne transport costtransport "
    "szallitas szallitasidij kargo kargoucreti доставка 送料 运费 배송비",
    "refund": "refund refunds refunded refundamount refundedamount amountrefunded totalrefunded totalrefunds totalrefund orderrefundamount refundtotal returns "
    "returnamount erstattung erstattet erstattungsbetrag ruckerstattung rueckerstattung gutschrift retoure retourenbetrag rembourse "
    "remboursement remboursements montantrembourse reembolso reembolsado reembolsos importereembolsado devolucion devoluciones rimborso "
    "rimborsi rimborsato importorimborsato estorno valorreembolsado devolucao terugbetaling terugbetaald terugbetaaldbedrag aterbetalning "
    "aterbetalt refusion refundert tilbagebetaling tilbagebetalt palautus hyvitys zwrot zwroty kwotazwrotu vraceno vratka rambursat rambursare "
    "visszaterites iade iadetutari возврат повернення 返金 返金額 退款 환불",
    "fee": "fee fees transactionfee processingfee paymentfee gebuhr gebuehr gebuhren frais commission comision commissione comissao provision prowizja",
    "gift_card": "giftcard giftcards giftcardamount giftcardused storecredit storecreditused creditused gutschein gutscheinbetrag geschenkkarte "
    "geschenkgutschein cartecadeau bonachat tarjetaregalo buonoregalo cartaregalo valepresente cadeaubon presentkort gavekort",
    "paid": "paid amountpaid totalpaid bezahlt gezahlt paye montantpaye pagado importepagado pagato importopagato pago valorpago betaald betalt",
}  # fmt: skip
_TAX_WORDS = r"\b(ex|incl?|including|inklusive|inkl|excl?|excluding|exklusive|exkl|before|after|zzgl|without|with|ohne|mit|of|hors|sans|con|sin|senza|zonder)\b\.?\s*(of\s+)?(tax(es)?|vat|gst|mwst|ust|iva|tva|btw|moms|mva|alv)\b"
_CODES = r"\b(eur|usd|gbp|chf|sek|nok|dkk|pln|czk|huf|ron|cad|aud|inr|brl|jpy)\b|[€$£¥]"
_NET = r"\b(ex(cl?|kl|clusive|cluding)?|ohne|zzgl|hors|sans|sin|senza|zonder|without|before)\b\.?\s*(of\s+)?(tax|vat|gst|mwst|ust|iva|tva|btw|moms|mva)|\b(net|netto|ht|hors taxes?)\b"
_RATE = r"%|\bper ?cent\b|\bpct\b|\brate\b|\bsatz\b|\btaux\b|\btasa\b|\baliquota\b"
_OF_DISCOUNTS = r"\b(before|vor|avant|antes de)\s+(any\s+)?(discounts?|rabatt|remise|descuento)\b"
_BEFORE = r"\b(gross|brutto) (sales|amount|revenue|umsatz)\b|\bbefore (any )?discounts?\b|\bvor rabatt\b|\bavant remise\b|\bantes de descuento\b"
_INCLUSIVE = r"\b(incl?|including|inclusive|inkl|inklusive|with|mit|ttc|gross|brutto)\b"
_CENTS = r"\b(in )?(cents?|pence|minor( units?)?|centimes?|centavos)\b"
_MONEY = {"line_total", "subtotal", "order_total", "amount", "paid"}
_NEAR = 0.95  # of rows, for arithmetic to settle what a column is


@dataclass(frozen=True)
class Choice:
    """One answer to a question: what it says, and the keys of ``transactions:`` that it sets; None takes a key out."""

    text: str
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Question:
    """What a file leaves open; the first choice is recommended."""

    text: str
    choices: tuple[Choice, ...]

    def __str__(self) -> str:
        return f"{self.text} Taken: {self.choices[0].text}. Else: {'; '.join(c.text for c in self.choices[1:])}."


def answered(settings: Mapping[str, Any], choice: Choice) -> dict[str, Any]:
    """Return settings with those of a choice; what is a mapping in both is joined.

    Examples
    --------
    >>> answered({"columns": {"date": "Day"}, "ids": "number"}, Choice("", {"columns": {"amount": "Sum"}, "ids": None}))
    {'columns': {'date': 'Day', 'amount': 'Sum'}}
    """
    out = {k: dict(v) if isinstance(v, dict) else v for k, v in settings.items()}
    for key, value in choice.settings.items():
        joined = {**out[key], **value} if isinstance(value, dict) and isinstance(out.get(key), dict) else value
        out[key] = {k: v for k, v in joined.items() if v is not None} if isinstance(joined, dict) else joined
    return {k: v for k, v in out.items() if v is not None and v != {}}


@dataclass(frozen=True)
class Basis:
    """What an amount is made of.

    Attributes
    ----------
    columns : dict
        Role to column.
    settings : dict
        ``amount``, ``refunded`` and ``amount_of``, where they are needed.
    said : str
        What the amount holds, and what it does not.
    questions : tuple of Question
    """

    columns: dict[str, str]
    settings: dict[str, Any]
    said: str
    questions: tuple[Question, ...] = ()


def letters(column: object) -> str:
    """Return a name without signs, blanks, case and accents, in any script.

    Examples
    --------
    >>> letters("Größe (Stück)"), letters("Order_ID"), letters("Сумма"), letters("Zapłacono")
    ('grossestuck', 'orderid', 'сумма', 'zaplacono')
    """
    plain = unicodedata.normalize("NFKD", str(column).casefold().translate(_BARRED))
    return "".join(c for c in plain if c.isalpha() and not unicodedata.combining(c))


# Letters that Unicode does not take apart into a letter and an accent.
_BARRED = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ð": "d", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"})
_BY_WORD = {letters(word): role for role, words in reversed(ROLES.items()) for word in words.split()}


def role_of(column: object) -> str | None:
    """Tell from its name which part of an amount a column holds.

    Examples
    --------
    >>> role_of("Einzelpreis (EUR)"), role_of("Order Total (ex tax)"), role_of("Tax Total"), role_of("Colour")
    ('unit_price', 'order_total', 'tax', None)
    """
    text = re.sub(_OF_DISCOUNTS, " ", str(column).casefold().replace("_", " "))
    rate = re.search(_RATE, text) is not None
    for bare in (text, re.sub(_CODES, " ", text), re.sub(_TAX_WORDS, " ", re.sub(_CODES, " ", text))):
        core = letters(re.sub(r"\b(per|pro|par|por)\s+\w+\s*$", " each", re.sub(_RATE, " ", bare)))
        found = _BY_WORD.get(core) or _BY_WORD.get(re.sub(r"(net|netto|gross|brutto|ht|ttc)$", "", core))
        if found:
            return found if not rate or found == "discount" else None  # a share of tax is no money
    return None


def is_net(column: object) -> bool:
    """Whether a name says that tax is not in it."""
    return re.search(_NET, str(column).casefold().replace("_", " ")) is not None


def _fits(left: Any, right: Any, size: Any = 1.0) -> float:
    """The share of rows in which two sides are equal, within a cent, of those where both are known."""
    known = np.isfinite(left) & np.isfinite(right)
    if known.sum() == 0:
        return 0.0
    near = np.abs(left - right) <= 0.0101 * np.maximum(1.0, np.minimum(np.abs(size), 5.0))
    return float(near[known].mean())


def find_basis(numbers: pd.DataFrame, order: pd.Series | None, *, given: str | None = None, preferred: str | None = None,
               told: Mapping[str, str] | None = None) -> Basis | None:  # fmt: skip
    """Find the columns that make an amount.

    Parameters
    ----------
    numbers : pandas.DataFrame
        The columns that have a role and hold numbers, of some thousand rows.
    order : pandas.Series, optional
        The order of each row.
    given : str, optional
        The column that the user, or a known program, says is the amount.
    preferred : str, optional
        The column that its name alone would make the amount.
    told : mapping of column to role, optional
        What the user says of columns.

    Returns
    -------
    Basis or None
        None where no column can be an amount.
    """
    by_role: dict[str, list[str]] = {}
    for column in numbers.columns:
        role = (told or {}).get(column) or role_of(column)
        if role:
            by_role.setdefault(role, []).append(column)
    values = {c: numbers[c].to_numpy(float) for c in numbers.columns}
    totals = [
        c for r in ("line_total", "subtotal", "order_total", "amount") for c in by_role.get(r, []) if _filled(values[c])
    ]
    totals = [c for c in totals if c != given] + ([given] if given and given in values else [])
    lines = _lines(values, by_role, totals)
    if given is None and lines is not None and not lines[0]:
        return _from_lines(values, by_role, totals, order, lines, preferred)
    if given is None and lines is not None and lines[0] not in by_role.get("order_total", []):
        preferred = lines[0]
    cents = next((c for c in values if holds_cents(c)), None)
    if cents is not None and (given == cents or given is None and not totals and preferred in {None, cents}):
        return Basis({"cents": cents}, {"amount": "cents / 100"}, f"The amount is {cents} / 100, as its name says.")
    if given is None and preferred is None and not totals:
        return None
    if given is None and totals and role_of(preferred) == "unit_price" and "quantity" not in by_role:
        preferred = totals[0]  # a final price beside a price
    return _from_totals(values, by_role, totals, order, given, preferred or (totals[0] if totals else None), lines)


def holds_cents(column: object) -> bool:
    """Whether a name says money in the smallest coin, as programs hand it to each other: ``amount_cents``."""
    name = str(column).casefold().replace("_", " ").strip()
    bare = re.sub(_CENTS, " ", name).strip()
    return bare != name and role_of(bare) in _MONEY


def _filled(value: np.ndarray) -> bool:
    return bool(np.isfinite(value).any())


def _used(value: np.ndarray) -> bool:
    """Whether a part is ever more than nothing."""
    return bool((np.nan_to_num(value) != 0).any())


def _lines(
    values: dict[str, np.ndarray], by_role: dict[str, list[str]], totals: list[str]
) -> tuple[str, str, str, str] | None:
    """Count times price: ``total, quantity, unit price, discount with its sign``; an empty total where no column holds it."""
    pairs = list(product(by_role.get("quantity", []), by_role.get("unit_price", [])))
    discounts = [c for c in by_role.get("discount", []) if _used(values[c])]
    for count, price in pairs:
        whole = values[count] * values[price]
        telling = np.isfinite(whole) & (values[count] != 1) & (values[price] != 0)
        if not telling.any():
            continue
        for total in totals:
            for off, sign in [("", ""), *product(discounts, "-+")]:
                less = whole if not off else whole + (1 if sign == "+" else -1) * np.nan_to_num(values[off])
                if total != price and _fits(less, values[total], values[count]) >= _NEAR:
                    return total, count, price, sign + off
        return "", count, price, ""
    return None


def _money(value: np.ndarray) -> str:
    return f"{np.nansum(value):,.2f}"


def _from_lines(values: dict[str, np.ndarray], by_role: dict[str, list[str]], totals: list[str], order: pd.Series | None,
                lines: tuple[str, str, str, str], preferred: str | None) -> Basis:  # fmt: skip
    """No column holds a line's money, so it is count times price; or the order's total stands on each line."""
    _, count, price, _ = lines
    columns = {"quantity": count, "unit_price": price}
    back = next((c for c in by_role.get("quantity_returned", []) if _used(values[c])), None)
    whole, plain = values[count] * values[price], "quantity * unit_price"
    if back is not None:
        columns["quantity_returned"] = back
        whole = (values[count] - np.abs(np.nan_to_num(values[back]))) * values[price]
        plain = "(quantity - quantity_returned) * unit_price"
    off = next((c for c in by_role.get("discount", []) if _used(values[c])), None)
    if order is not None and totals:
        sums = pd.Series(np.nan_to_num(whole)).groupby(order.to_numpy()).transform("sum").to_numpy()
        less = 0.0 if off is None else np.nan_to_num(values[off])
        per_order = pd.Series(np.broadcast_to(less, sums.shape)).groupby(order.to_numpy()).transform("sum").to_numpy()
        for total in totals:
            for taken in (0.0, less, per_order):
                if _fits(sums - taken, values[total], 5.0) >= _NEAR:
                    return _from_totals(values, by_role, totals, order, None, total, None)
    questions: list[Question] = []
    formula, said = plain, f"The amount is {count} x {price}: no column holds the money of a line."
    if off is not None:
        columns["discount"] = off
        minus = -1 if np.nansum(values[off]) >= 0 else 1
        size = np.abs(values[off])
        share = np.nanmax(size)
        in_money = re.search(_CODES, off.casefold()) is not None
        parts = share <= 1 and bool(((size > 0) & (size < 1)).any())  # a discount of 1 on each line is no 100 %
        percent = not in_money and (parts or re.search(_RATE, off.casefold().replace("_", " ")) is not None)
        by = ("discount" if share <= 1 else "discount / 100") if percent else "discount"
        formula = f"{plain} * (1 - {by})" if percent else f"{plain} {'-' if minus < 0 else '+'} discount"
        less = np.nan_to_num(values[off])
        money = whole * (1 - np.abs(less) / (1 if share <= 1 else 100)) if percent else whole + minus * less
        questions.append(Question(
            f"The discount in {off!r}: is it subtracted from {count} x {price}?",
            (Choice(f"{formula} ({_money(money)})", {"amount": formula}),
             Choice(f"{plain}, the price is after the discount ({_money(whole)})", {"amount": plain}),
             *([Choice(f"{plain} - discount, it is money ({_money(whole - size)})", {"amount": f"{plain} - discount"})] if percent and parts else [])),
        ))  # fmt: skip
        said = f"The amount is {formula}."
    tax = next((c for c in by_role.get("tax", []) if _used(values[c])), None)
    if off is None and back is None and tax is not None and re.search(_INCLUSIVE, price.casefold().replace("_", " ")):
        columns["tax"], formula = tax, f"{plain} - tax"
        net = whole - np.nan_to_num(values[tax])
        questions.append(Question(
            f"{price!r} holds tax, as its name says, and {tax!r} says how much; what is a customer worth by?",
            (Choice(f"goods without tax ({_money(net)})", {"amount": formula}),
             Choice(f"with tax ({_money(whole)})", {"amount": plain, "columns": {"tax": None}})),
        ))  # fmt: skip
        said = f"The amount is {count} x {price} - {tax}."
    held = preferred if preferred in totals and preferred != price else (totals[0] if totals else None)
    if held is not None:
        chosen = {"columns": {**columns, "amount": None}, "amount": formula}
        questions.insert(0, Question(
            f"{held!r} is not {count} x {price} on each line; which is the money of a line?",
            (Choice(f"{held} ({_money(values[held])})", {"columns": {"amount": held, **dict.fromkeys(columns)}, "amount": None}),
             Choice(f"{formula} ({_money(whole)})", chosen)),
        ))  # fmt: skip
        further = _from_totals(values, by_role, totals, order, None, held, None)
        return Basis(further.columns, further.settings, further.said, (questions[0], *further.questions))
    settings = {"amount": formula}
    columns |= _refunds(values, by_role)
    return Basis(columns, settings, said + _left_out(values, by_role, set(columns.values())), tuple(questions))


def _refunds(values: dict[str, np.ndarray], by_role: dict[str, list[str]]) -> dict[str, str]:
    lost = [c for c in by_role.get("dispute", []) if _used(values[c])]
    used = [c for c in by_role.get("refund", []) if _used(values[c])] or lost or by_role.get("refund", [])
    return {"refunded": used[0]} if used else {}


def _left_out(values: dict[str, np.ndarray], by_role: dict[str, list[str]], used: set[str]) -> str:
    parts = [c for r in ("tax", "shipping", "fee") for c in by_role.get(r, []) if c not in used and _used(values[c])]
    return f" Not in it: {', '.join(parts)}." if parts else ""


@dataclass(frozen=True)
class _Sum:
    """A total that is a base with shipping, tax and discount: ``total = base + shipping + tax - discount``."""

    total: str
    base: str
    shipping: str
    tax: str
    discount: str


def _find_sum(values: dict[str, np.ndarray], by_role: dict[str, list[str]], totals: list[str]) -> _Sum | None:
    """Which total is which other one and which parts; the sum that explains it by most parts."""
    parts = {r: [c for c in by_role.get(r, []) if _used(values[c])][:3] for r in ("shipping", "tax", "discount")}
    if len(extras := parts["shipping"]) > 1:  # shipping and a tip
        values = values | {" and ".join(extras): np.nansum([values[c] for c in extras], axis=0)}
        parts["shipping"] = [*extras, " and ".join(extras)]
    found: list[tuple[int, bool, _Sum]] = []
    for total, base in product(totals, totals):
        if total == base:
            continue
        for ship, tax, off in product(["", *parts["shipping"]], ["", *parts["tax"]], ["", *parts["discount"]]):
            if not (ship or tax or off):
                continue
            made = values[base] + sum(np.nan_to_num(values[c]) for c in (ship, tax) if c)
            made = made - np.abs(np.nan_to_num(values[off])) if off else made
            if _fits(made, values[total]) >= _NEAR:
                found.append((sum(map(bool, (ship, tax, off))), is_net(base), _Sum(total, base, ship, tax, off)))
    return max(found, key=lambda f: f[:2])[2] if found else None


def _from_totals(values: dict[str, np.ndarray], by_role: dict[str, list[str]], totals: list[str], order: pd.Series | None,
                 given: str | None, preferred: str | None, lines: tuple[str, str, str, str] | None) -> Basis:  # fmt: skip
    """A column holds the money; tax, shipping and discount that stand in it are subtracted, and refunds are brought to its measure."""
    made = _find_sum(values, by_role, totals)
    column = given or preferred
    assert column is not None
    columns, settings, questions = {"amount": column}, {}, []
    tax = next((c for c in by_role.get("tax", []) if _used(values[c])), "")
    ship = next((c for c in by_role.get("shipping", []) if _used(values[c])), "")
    said = f"The amount is {column}."
    if given is None and made is not None and not (lines and lines[0] == column and not made.discount):
        goods, names = "subtotal", {"subtotal": made.base}
        if made.discount:
            goods, names = goods + " - discount", names | {"discount": made.discount}
        inside = "" if made.tax or is_net(made.base) else tax
        if inside:
            goods, names = goods + " - tax", names | {"tax": inside}
        net = _evaluate(values, names)
        whole = Choice(f"{made.total}, with all of that ({_money(values[made.total])})",
                       {"columns": {"amount": made.total, **dict.fromkeys(n for n in names)}, "amount": None, "refunded": None})  # fmt: skip
        if goods == "subtotal":
            columns, said = {"amount": made.base}, f"The amount is {made.base}"
            best: dict[str, Any] = {"columns": {"amount": made.base}}
        else:
            columns, settings = dict(names), {"amount": goods}
            said = "The amount is " + " - ".join(names.values())
            best = {"columns": {**names, "amount": None}, "amount": goods}
        parts = " and ".join(c for c in (made.tax or inside, made.shipping) if c)
        said += f", without {parts}." if parts else "."
        if parts and inside:
            questions.append(Question(
                f"{made.total!r} holds {parts}; what is a customer worth by?", (Choice(f"goods without tax and shipping ({_money(net)})", best), whole)
            ))  # fmt: skip
    elif (
        given is None
        and (tax or ship)
        and not (is_net(column) or role_of(column) in {"subtotal", "line_total"})
        and not (lines and lines[0] == column)
    ):
        names = {"order_total": column} | ({"tax": tax} if tax else {}) | ({"shipping": ship} if ship else {})
        formula = " - ".join(names)
        net = _evaluate(values, names)
        parts = " and ".join(c for c in (tax, ship) if c)
        bare = {"columns": {**names, "amount": None}, "amount": formula}
        columns, settings = dict(names), {"amount": formula}
        said = f"The amount is {' - '.join(names.values())}, if {column} holds {parts}."
        questions.append(Question(
            f"Nothing in the file tells whether {column!r} holds {parts}.",
            (Choice(f"it does, and they are subtracted ({_money(net)})", bare),
             Choice(f"it is used as it stands ({_money(values[column])})",
                    {"columns": {"amount": column, **dict.fromkeys(names)}, "amount": None})),
        ))  # fmt: skip
    if beside := _discount_beside(values, by_role, column, None if given else lines):
        columns, settings, said = beside.columns, beside.settings, beside.said
        questions += beside.questions
    columns, settings, told = _less_refunds(values, by_role, column, columns, settings, made, given, tax)
    said += told
    said += _left_out(values, by_role, set(columns.values())) if " without " not in said else ""
    if order is not None and not (lines and lines[0] == column):
        repeated, asked = _repeated(values, settings, columns, order)
        settings |= repeated
        questions += asked
    return Basis(columns, settings, said, tuple(questions))


def _less_refunds(values: dict[str, np.ndarray], by_role: dict[str, list[str]], column: str, columns: dict[str, str],
                  settings: dict[str, Any], made: _Sum | None, given: str | None, tax: str) -> tuple[dict[str, str], dict[str, Any], str]:  # fmt: skip
    """Columns and settings with what was paid back, unless the amount is after it already."""
    found = _refunds(values, by_role)
    if not found:
        return columns, settings, ""
    refund = found["refunded"]
    if _is_after_refunds(values, by_role, columns.get("amount", column), refund):
        return columns, settings, f" It is after {refund}."
    columns, settings = _with_refund(columns, settings, refund, made, given, tax)
    lost = next((c for c in by_role.get("dispute", []) if _used(values[c]) and c != refund), None)
    if lost is not None and columns.get("refunded") == refund:
        columns = {k: v for k, v in columns.items() if k != "refunded"} | {"refund": refund, "dispute": lost}
        return columns, settings | {"refunded": "refund + dispute"}, f" What {refund} and {lost} say is subtracted."
    return columns, settings, f" What {refund} says was paid back is subtracted."


def _discount_beside(values: dict[str, np.ndarray], by_role: dict[str, list[str]], column: str,
                     lines: tuple[str, str, str, str] | None) -> Basis | None:  # fmt: skip
    """A total that is count times price, or before discounts by its name, with a discount beside it that is not in it yet."""
    off = next((c for c in by_role.get("discount", []) if _used(values[c])), "")
    counted = lines is not None and lines[0] == column and not lines[3]
    gross = re.search(_BEFORE, str(column).casefold().replace("_", " ")) is not None
    if not off or not (counted or gross) or re.search(_RATE, off.casefold().replace("_", " ")):
        return None
    less = values[column] - np.abs(np.nan_to_num(values[off]))
    parts = {"order_total": column, "discount": off}
    plain = {"columns": {"amount": column, **dict.fromkeys(parts)}, "amount": None}
    is_ = f"is {lines[1]} x {lines[2]}" if lines is not None and counted else "is before discounts by its name"
    question = Question(
        f"{column!r} {is_}; is the discount in {off!r} subtracted from it?",
        (Choice(f"it is ({_money(less)})", {"columns": {**parts, "amount": None}, "amount": "order_total - discount"}),
         Choice(f"{column} is after the discount ({_money(values[column])})", plain)),
    )  # fmt: skip
    return Basis(parts, {"amount": "order_total - discount"}, f"The amount is {column} - {off}.", (question,))


def _is_after_refunds(values: dict[str, np.ndarray], by_role: dict[str, list[str]], column: str, refund: str) -> bool:
    """Whether another column less what was paid back, and a discount, is this one on each line."""
    back = np.abs(np.nan_to_num(values[refund]))
    offs = [0.0, *(np.abs(np.nan_to_num(values[c])) for c in by_role.get("discount", []))]
    others = [c for c in values if c not in {column, refund}]
    paid = back > 0  # the lines that tell
    return any(
        min(_fits(less, values[column]), _fits(less[paid], values[column][paid])) >= _NEAR
        for less in (values[c] - off - back for c in others for off in offs)
    )


def _evaluate(values: dict[str, np.ndarray], names: Mapping[str, str]) -> np.ndarray:
    first, *others = names.values()
    return values[first] - sum(np.abs(np.nan_to_num(values[c])) for c in others)


def _with_refund(columns: dict[str, str], settings: dict[str, Any], refund: str, made: _Sum | None, given: str | None,
                 tax: str) -> tuple[dict[str, str], dict[str, Any]]:  # fmt: skip
    """Refunds are paid with tax: where amounts are without it, they are brought to the same measure."""
    base = {"subtotal": made.base} if made else {}
    if made and made.discount:
        base["discount"] = made.discount
    goods = "(subtotal - discount)" if made and made.discount else "subtotal"
    gross = given is not None and (made is None or given == made.total)
    if made and made.tax and not gross:
        tied = columns | base | {"refund": refund, "tax": made.tax}
        return tied, settings | {"refunded": f"refund * {goods} / ({goods} + tax)"}
    if settings.get("amount", "").find("- tax") > 0 and tax:
        first = next(iter(columns))
        with_tax = settings["amount"].replace(" - tax", "")
        return columns | {"refund": refund}, settings | {
            "refunded": f"refund * ({settings['amount']}) / ({with_tax})"
        } if first else {}
    return columns | {"refunded": refund}, settings


def _repeated(values: dict[str, np.ndarray], settings: Mapping[str, Any], columns: Mapping[str, str],
              order: pd.Series) -> tuple[dict[str, Any], list[Question]]:  # fmt: skip
    """Whether the total of an order stands on each of its lines."""
    lead = columns.get("amount") or columns.get("subtotal") or columns.get("order_total")
    if lead is None:
        return {}, []
    table = pd.DataFrame({"order": order.to_numpy(), "money": values[lead]}).dropna()
    table = table[table["money"] > 0]  # what is paid back stands in lines of its own
    per = table.groupby("order")["money"].agg(["size", "nunique", "first"])
    several = per[per["size"] > 1]
    if len(several) < 0.05 * len(per):  # here and there an order twice: copies, which a rule of their own leaves out
        return {}, []
    if several.empty or (several["nunique"] == 1).mean() < _NEAR or per["first"].nunique() < 2:
        return {}, []
    once, all_ = per["first"].sum(), table["money"].sum()
    role, name = role_of(lead), letters(lead)
    if role in {"unit_price", "line_total", "quantity"} or re.search(
        "price|preis|prix|precio|prezzo|seat|unit|each|perticket", name
    ):
        return {}, []
    of_order = re.search(
        "order|invoice|grand|receipt|cart|basket|bestell|rechnung|auftrag|pedido|commande|factur|ordine|total|summe",
        name,
    )
    if of_order and len(several) >= 5 and several["first"].nunique() >= 3:
        return {"amount_of": "order"}, []
    question = Question(
        f"The same {lead!r} stands on each line of {len(several)} order{'s' if len(several) > 1 else ''} with several lines.",
        (Choice(f"it is the order's, and counts once ({once:,.2f})", {"amount_of": "order"}),
         Choice(f"each line costs that much ({all_:,.2f})", {"amount_of": None})),
    )  # fmt: skip
    return {"amount_of": "order"}, [question]
