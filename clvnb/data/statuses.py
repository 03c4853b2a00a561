"""Columns that say what became of an order, known by their values in many languages.

In: the values of a column. Out: which of them are no sale, which are open, and which are not known.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from .roles import letters

__all__ = ["documents", "flag_meaning", "is_gift_card", "is_status_name", "meaning_of_status", "status_words"]

# Beginnings of words, without accents and signs; the first kind that fits counts.
_KINDS = {
    "sale": "partial partly partiel teilw parcial parzial gedeelt delvis czescio castecn partially notcancel norefund notrefund disputewon won "
    "chargebackrevers",
    "refunded": "refund fullyrefund erstatt ruckerstatt rueckerstatt zuruckgezahlt rembours reembols rimbors estorn devol terugbetaald terugbetal "
    "aterbetal refunder tilbagebetal palautet hyvitet zwroc zwrot vracen vratk rambursat visszateri iade возвра возвращ поверн 返金 退款 환불 retourn returned "
    "chargeback chargedback dikembalikan ruckbuchung ruecklastschrift rucklastschrift disputelost lost dispute reversed reversal rejectedbybank "
    "povrat vrnjen povrnjen възстан върнат επιστρ vraten مسترجع مرتجع استرداد الاسترداد استرجاع הוחזר החזר זוכה hoantien "
    "dahoantien grazint atmaksat tagast tagasi devuelt geretour teruggestort zuruckgesch zurueckgesch returnat returner "
    "tilbakebet 返品 已退款 退货 退貨 คืนเงิน वापस",
    "cancelled": "cancel ακυρ dibatalkan batal dahuy otkaz storn annul abgebroch anulad anulat anulow anulo cancelad geannul avbrut avbest avbok annuler peruut peruttu zrusen torol iptal отмен "
    "аннул скасов キャンセル 取消 취소 void voided ungultig ungueltig "
    "ponisten preklic отказан анул відмін ملغ בוטל מבוטל atsaukt atcelt tuhist odwolan visszavon lemond makuler kanseller 已取消 "
    "已关闭 已關閉 ยกเลิก रद्द",
    "failed": "fail insufficient fehlgeschlagen fehler echou echec erreur fallid fallit fallad errore error mislukt misslyck mislykk epaonnist nieudan niepowodz selhal neuspe "
    "esuat sikertelen basarisiz неуспе ошибка 失敗 失败 실패 paymenterror erreurdepaiement errordepago zahlungsfehler declin denied denegad abgelehnt refus "
    "rejected rechazad rifiutat recusad geweigerd odrzucon zamitnut respins fraud expired abgelaufen expire expirad scadut verlopen abandon draft entwurf brouillon "
    "borrador bozza trash deleted geloscht geloescht supprime eliminad spam incomplete uncaptured requirespaymentmethod requiresaction "
    "requiresconfirmation requirescapture test "
    "falh malsuced negad naoautoriz rascunho neuspj odbij nijeuspje skica istekl zavrnjen spodlet отхвърл невда невдал відхил "
    "αποτυχ απετυχ απορριφ zlyhal zamietn gagal ditolak kedaluwarsa kadaluarsa reddedil taslak فشل مرفوض נכשל נדחה thatbai "
    "nepavyk atmest neizdev noraidit ebaonnestu tagasilukat caducad geplatzt undeliver fejlet feilet mislykt ล้มเหลว विफल",
    "unpaid": "unpaid notpaid notreceived unbezahlt nichtbezahlt impaye nonpaye nonregle impagad nopagad naopag nonpagat onbetaald nietbetaald obetald ubetalt ikkebetalt "
    "maksamat nieoplacon neuhrazen nezaplacen neplaten neplatit neachitat kifizetetlen odenmedi неоплач 未払 未付款 미결제 "
    "neplac nijeplac неплат απληρωτ nezaplat neuhrad belumdibayar belumlunas belumbayar odenmemis neapmok neapmaks maksmata "
    "sinpag 未入金 chuathanhtoan",
    "open": "pending aguardando menunggu cekanje open offen ausstehend zahlungausstehend enattente attente awaiting pendiente pendente inattesa inafwachting wachtop openstaand wartet warten oczek czeka "
    "cekajici ceka inasteptare asteptare vantar vantande afventer avventer odottaa fuggoben beklem beklemede bekliyor ожида очіку 保留 保留中 待付款 待处理 대기 onhold "
    "hold gehalten angehalten suspend zuruckgestellt retenu retenid sospes opgeschort "
    "emespera emanalise nacekanju ucekanju nacakanju caka vteku изчакв чакащ визчакв наутриманні вочікуванні εκκρεμ σεαναμον "
    "pozastav tertunda bekleni قيدالانتظار معلق ממתין בהמתנה chothanhtoan dangcho tamgiu laukiam gaida ootel makseootel "
    "indewacht inwartestell wstrzym varakoz fizetesrevar pausad pidossa 支払い待ち 入金待ち 待发货 待發貨 venter pavent enespera รอ लंबित",
    "done": "paid succeed pago paga pagado ολοκληρ selesai hoanthanh zavrs placeno bezahlt complet abgeschlossen erledigt paye pagad pagat betaald betalt betald maksettu oplacon zaplacen zaplaceno achitat platit fizetve odendi оплач 支払 "
    "已付款 결제 deliver geliefert zugestellt livre entregad entregue consegnat geleverd bezorgd levere leverans dostarcz dorucen livrat kiszallit teslim достав 配達 已完成 "
    "완료 ship versand versend versch expedi enviad enviat spedit verzonden skickad sendt wyslan odeslan kikuld gonderildi отправл 発送 已发货 배송 process "
    "bearbeitung encours traitement procesand procesad lavorazione elaborazione verwerk behandel behandl kasitell przetwarz realizac zrealiz zpracov procesare feldolgoz "
    "hazirlan обработ выполн 処理 处理中 처리 fulfill closed geschlossen termine cerrad fechad chius afgerond avslutad gesloten zamkni uzavren inchis lezart success erfolg "
    "reussi exito succes approved accepted accepte aceptad accettat genehmigt akzept confirm bestatig bestaetig captured settled sale sold verkauf vente venta vendita "
    "normal ok active valid invoiced fakturiert live packed picked ready payment order bestellung charge "
    "conclu finaliz aprovad emtransito aenviar faturad emseparacao dovrs uobradi poslan isporuc obraden dostav izvrsen "
    "zakljuc placan vobdelavi завърш платен изпрат виконан заверш відправл πληρωθ εσταλ παραδοθ σεεπεξεργ dokonc vybaven "
    "zaplaten odoslan spracov dikirim diproses lunas tamamlan kargoya مكتمل قيدالمعالجة مدفوع تمالتوصيل הושלם בטיפול שולם "
    "נשלח dagiao dangxuly dathanhtoan ivykdyt apmoket issiust pristat vykdom izpildit apmaksat nosutit piegadat lopetat "
    "taidet makstud saadet tootlemis voltooid teljesit kifizet slutford valmis kasittelyssa toimitet 完了 gennemfort faerdig "
    "afsendt fullfort เสร็จ पूर्ण",
}  # fmt: skip
_WHOLE = {"reso": "refunded", "rto": "refunded", "sendt": "done"}  # too short to be the beginning of a word
_BEGINNINGS = {kind: [letters(w) for w in words.split()] for kind, words in _KINDS.items()}
_NAMES = (
    "status state result outcome orderstatus financialstatus paymentstatus orderstate statut etat estado stato situacao situacion stav tila durum zustand bestellstatus zahlungsstatus "
    "auftragsstatus statuscommande etatcommande estadopedido estadodelpedido statoordine statusdopedido statuspedido bestelstatus orderstatut stanzamowienia "
    "statuszamowienia stavobjednavky starecomanda statuscomanda allapot rendelesallapot siparisdurumu статус статусзаказа состояние ステータス 状態 状态 订单状态 상태"
)
_STATUS = {letters(w) for w in _NAMES.split()}
_OF_SENDING = re.compile(r"fulfil|ship|versand|deliver|liefer|livraison|expedi|envio|spediz|verzend|dispatch|track")
_OF_REASONS = re.compile(r"reason|grund$|motif|motivo|razon")
_GIFT = re.compile(
    r"gift\s*(card|certificate|voucher)|e-?gift|geschenk(karte|gutschein)|(wert|einkaufs|kauf)?gutschein\b|carte[- ]cadeau|cheque[- ]cadeau|tarjeta\s*(de\s*)?regalo|"
    r"(buono|carta)\s*regalo|vale[- ]presente|cadeau(bon|kaart)|presentkort|gavekort|lahjakortti|karta\s*(podarunkowa|upominkowa)|dark[o0]vy\s*poukaz|"
    r"card\s*cadou|ajandekutalvany|hediye\s*(kart|ceki)|подарочн\w*\s*(карт|сертифик)|ギフトカード|礼品卡|기프트\s*카드|store\s*credit\s*(top|purchase)",
    re.IGNORECASE,
)


def meaning_of_status(value: object) -> str | None:
    """Tell what a value says of an order: ``done``, ``open``, ``unpaid``, ``refunded``, ``cancelled``, ``failed``, ``sale`` or nothing known.

    ``sale`` is one that was paid back in part, and counts. A slug is read like words.

    Examples
    --------
    >>> [meaning_of_status(v) for v in ("wc-cancelled", "Storniert", "Partially refunded", "En attente", "Blue")]
    ['cancelled', 'cancelled', 'sale', 'open', None]
    """
    text = str(value)
    core = letters(re.sub(r"^(wc|order|payment|status)[-_ :]+", "", text.strip(), flags=re.IGNORECASE))
    words = [letters(w) for w in re.split(r"[\s_\-./:,;()]+", text) if letters(w)]

    if (exact := _WHOLE.get(core)) is not None:
        return exact

    def says(kind: str) -> bool:
        return any(w.startswith(b) for w in words for b in _BEGINNINGS[kind] if len(b) > 3 or w == b)

    for kind in _BEGINNINGS:  # what speaks against a sale counts wherever it stands: "Completed - Refunded"
        if any(core.startswith(b) for b in _BEGINNINGS[kind] if b) or (kind not in {"open", "done"} and says(kind)):
            return kind
    for kind in _BEGINNINGS:
        if says(kind):
            return kind
    return None


def is_status_name(column: object) -> bool:
    """Whether a column's name says that it tells what became of an order."""
    core = letters(column)
    return not _OF_PEOPLE.match(core) and (core in _STATUS or core.endswith("status") or core.startswith("status"))


def flag_meaning(column: object, values: Iterable[object]) -> tuple[str, list[str]] | None:
    """Tell what a column says by its name where its values are yes and no, or a day or nothing.

    Parameters
    ----------
    column : str
    values : iterable
        The different values.

    Returns
    -------
    (str, list of str) or None
        The meaning of the orders that are no sale, and the values that say so; ``*`` is any day.

    Examples
    --------
    >>> flag_meaning("Storniert", ["ja", "nein"]), flag_meaning("is_paid", ["1", "0"]), flag_meaning("colour", ["yes"])
    (('cancelled', ['ja']), ('unpaid', ['0']), None)
    >>> flag_meaning("cancelled_at", ["2024-01-05 10:00", ""])
    ('cancelled', ['*'])
    """
    written = [str(v) for v in values if v is not None and v == v and str(v).strip()]
    bare = re.sub(
        r"[_\W]+(at|on|am|date|datum|time|le|el)$|^(is|was|ist|est)[_\W]+", "", str(column).strip(), flags=re.IGNORECASE
    )
    meaning = _FLAG.get(letters(bare))
    if not written or meaning is None:
        return None
    said = {v: letters_and_digits(v) for v in written}
    if all(w in _YES | _NO for w in said.values()):
        none = sorted(v for v, w in said.items() if w in (_NO if meaning == "unpaid" else _YES))
        return (meaning, none) if none else None
    if meaning != "unpaid" and all(_DAY.match(v) for v in written):
        return meaning, ["*"]
    return None


def letters_and_digits(value: object) -> str:
    """A word without case, accents and signs, digits kept."""
    return letters(value) or str(value).strip().removesuffix(".0")


_OF_PEOPLE = re.compile("customer|account|member|subscri|user|client|kunde|konto|cliente|abo")
_YES = {"true", "yes", "y", "1", "ja", "j", "si", "oui", "x", "wahr", "sim", "t", "да", "tak", "ano", "igen", "da"}
_NO = {"false", "no", "n", "0", "nein", "non", "falsch", "nao", "f", "нет", "nie", "ne", "nem", "nu"}
# Whole names, for "returning customer" and "cancel anytime" say nothing of the order.
_FLAGS = {
    "cancelled": "cancelled canceled iscancelled iscanceled cancellation storniert storno annulliert annule annulee anulado anulada cancelado cancelada annullato "
    "annullata geannuleerd avbruten annulleret anulowane zruseno void voided deleted geloscht supprime eliminado verwijderd",
    "failed": "failed fehlgeschlagen fraud fraudulent isfraud test istest testorder testmode testbestellung",
    "refunded": "refunded isrefunded fullyrefunded erstattet zuruckgezahlt rembourse reembolsado rimborsato terugbetaald chargeback chargedback",
    "unpaid": "paid ispaid bezahlt paye pagado pagato pago betaald success successful succeeded",
}
_FLAG = {letters(word): kind for kind, words in _FLAGS.items() for word in words.split()}
_DAY = re.compile(r"\s*(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})")


def status_words(column: object, values: Iterable[object]) -> dict[str, str | None] | None:
    """Return what each value of a column says of an order, if it is a column of that kind.

    Parameters
    ----------
    column : str
    values : iterable
        The different values.

    Returns
    -------
    mapping of value to meaning, or None
        None for a column that says nothing of the kind, or only how parcels travel.
    """
    written = [str(v) for v in values if v is not None and v == v and str(v).strip()]
    if not written or len(written) > 60 or max(map(len, written)) > 60 or _OF_SENDING.search(letters(column)):
        return None
    if _OF_REASONS.search(letters(column)):  # why, and not whether
        return None
    found = {v: meaning_of_status(v) for v in written}
    known = sum(m is not None for m in found.values())
    telling = any(m in {"refunded", "cancelled", "failed", "unpaid", "open"} for m in found.values())
    if _OF_PEOPLE.match(letters(column)) and letters(column).endswith(("status", "state", "type")):
        return None
    unknown = (
        letters(column) in _STATUS and not known and 1 < len(written) <= 12
    )  # in a language that is not known here
    if not unknown and (not telling or not (is_status_name(column) or known >= 0.5 * len(written))):
        return None
    return found


_DOCUMENTS = {
    "back": "return returns refund refunds creditnote creditmemo creditinvoice gutschrift retoure ruckgabe erstattung stornorechnung avoir facturedavoir "
    "retour remboursement notadecredito notadecreditofiscal abono devolucion reembolso facturarectificativa notadicredito notacredito reso rimborso "
    "devolucao estorno kreditnota kreditfaktura returdokument zwrot korekta fakturakorygujaca dobropis creditfactuur retourbon",
    "sale": "sale sales invoice order purchase receipt charge salesorder salesreceipt rechnung verkauf bestellung bon barverkauf facture vente commande factura "
    "venta pedido fattura vendita ordine ordini fatura venda faktura sprzedaz ordre salg tilaus lasku bestelling factuur verkoop cashsale",
    "none": "payment payments deposit transfer payout quote quotation estimate proforma proformainvoice draft orderconfirmation deliverynote statement "
    "zahlung zahlungseingang angebot auftragsbestatigung lieferschein kostenvoranschlag paiement reglement devis bondelivraison bondecommande pago cobro "
    "presupuesto albaran preventivo pagamento incasso bolla orcamento offerte pakbon betaling oferta platnosc",
}
_DOCUMENT = {letters(word): kind for kind, words in _DOCUMENTS.items() for word in words.split()}
_KIND_OF_LINE = re.compile(
    r"type|typ$|art$|kind|tipo|soort|rodzaj|typ[e]?\w*$|document|beleg|vorgang|transaction|nature"
)


_OF_MEANS = re.compile(
    "payment|zahlung|paiement|pago|card|karte|product|item|visit|shipping|delivery|price|tax|discount"
)


def documents(column: object, values: Iterable[object]) -> dict[str, str] | None:
    """Return which values of a column are sales, which take money back (``back``), and which are neither (``none``).

    Returns
    -------
    mapping, or None
        None for a column that does not say what kind of document a line is.

    Examples
    --------
    >>> documents("Type", ["Sale", "Return"]), documents("Belegart", ["Rechnung", "Gutschrift"])
    ({'Return': 'back', 'Sale': 'sale'}, {'Gutschrift': 'back', 'Rechnung': 'sale'})
    >>> documents("Colour", ["Sale", "Return"]) is None
    True
    """
    written = sorted({str(v) for v in values if v is not None and v == v and str(v).strip()})
    name = letters(column)
    if (
        not 1 < len(written) <= 20
        or not _KIND_OF_LINE.search(name)
        or _OF_PEOPLE.search(name)
        or _OF_MEANS.search(name)
    ):
        return None
    found = {v: _DOCUMENT.get(letters(v), "") for v in written}
    kinds = set(found.values())
    if "sale" not in kinds or not kinds & {"back", "none"} or list(found.values()).count("") > len(found) / 2:
        return None
    return found


def is_gift_card(text: object) -> bool:
    """Whether a product is a card that is bought now and spent later.

    Examples
    --------
    >>> is_gift_card("Gift Card 50"), is_gift_card("Geschenkgutschein"), is_gift_card("Card game")
    (True, True, False)
    """
    return _GIFT.search(str(text)) is not None
