"""Damage one clean log of orders in every way that exports do: ``python tests/messy/make.py`` writes the files beside itself.

``truth.yaml`` says for each file what it holds once read, or what the refusal must say. The clean log has 48 orders of 11
customers in 2024, some of them refunds.
"""

from __future__ import annotations

import gzip
import io
import json
import random
import re
import zipfile
from datetime import date, datetime, timedelta
from pathlib import Path

import pandas as pd
import yaml

HERE = Path(__file__).resolve().parent
HEADER = ["Order No", "Customer", "Date", "Total"]


def clean() -> list[tuple[str, str, date, int]]:
    """Order number, customer, day and cents."""
    rng, rows = random.Random(4), []
    for k in range(48):
        cents = rng.randrange(500, 250_000) if k % 12 else -rng.randrange(500, 3000)
        rows.append((f"A{1001 + k}", f"C{k % 11 + 1:03d}", date(2024, 1, 3) + timedelta(days=7 * k % 350), cents))
    rows[0] = ("A1001", "C001", date(2024, 1, 3), 4999)
    return rows


ROWS = clean()
TRUTH = {"rows": len(ROWS), "cents": sum(r[3] for r in ROWS), "customers": len({r[1] for r in ROWS})}


def point(cents: int) -> str:
    return f"{cents / 100:.2f}"


def comma(cents: int) -> str:
    return point(cents).replace(".", ",")


def grouped(cents: int, thousands: str, decimal: str) -> str:
    text = f"{cents / 100:,.2f}"
    return text.replace(",", "\0").replace(".", decimal).replace("\0", thousands)


def iso(day: date) -> str:
    return day.isoformat()


def text(sep=",", day=iso, money=point, header=HEADER, rows=ROWS, end="\n", quote=False):
    def cell(value: str) -> str:
        risky = quote or sep in value or '"' in value or "\n" in value
        return '"' + value.replace('"', '""') + '"' if risky else value

    lines = [[*header]] + [[number, who, day(when), money(cents)] for number, who, when, cents in rows]
    return end.join(sep.join(cell(v) for v in line) for line in lines) + end


def as_serial(day: date) -> str:
    return str((day - date(1899, 12, 30)).days)


def as_epoch(day: date) -> str:
    return str(int((datetime(day.year, day.month, day.day) - datetime(1970, 1, 1)).total_seconds()) + 43_200)


def workbook(lines: list[list[object]]) -> bytes:
    stream = io.BytesIO()
    lines = [[*line, *[None] * (len(HEADER) - len(line))] for line in lines]
    with pd.ExcelWriter(stream) as out:
        pd.DataFrame(lines).to_excel(out, index=False, header=False)
    again = io.BytesIO()  # without the time at which it was made, so that the same cells are the same bytes
    with zipfile.ZipFile(stream) as old, zipfile.ZipFile(again, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            part = re.sub(rb"\d{4}-\d\d-\d\dT[\d:]+Z", b"2024-01-01T00:00:00Z", old.read(name))
            new.writestr(zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0)), part, zipfile.ZIP_DEFLATED)
    return again.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in files.items():
            out.writestr(zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)
    return stream.getvalue()


def open_document(lines: list[list[object]]) -> bytes:
    """A sheet as LibreOffice keeps it: numbers and days as such, everything else text."""

    def cell(value: object) -> str:
        if isinstance(value, pd.Timestamp):
            return f'<table:table-cell office:value-type="date" office:date-value="{value:%Y-%m-%d}"/>'
        if isinstance(value, float):
            return f'<table:table-cell office:value-type="float" office:value="{value}"/>'
        return f'<table:table-cell office:value-type="string"><text:p>{value}</text:p></table:table-cell>'

    names = "".join(f' xmlns:{k}="urn:oasis:names:tc:opendocument:xmlns:{k}:1.0"' for k in ("office", "table", "text"))
    rows = "".join(f"<table:table-row>{''.join(map(cell, line))}</table:table-row>" for line in lines)
    body = f'<table:table table:name="Orders">{rows}</table:table>'
    content = f'<?xml version="1.0"?><office:document-content{names}><office:body><office:spreadsheet>{body}</office:spreadsheet></office:body></office:document-content>'
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    space = 'xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"'
    entries = f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{kind}"/>'
    manifest = f'<?xml version="1.0"?><manifest:manifest {space}>{entries}</manifest:manifest>'
    return zipped(
        {"mimetype": kind.encode(), "META-INF/manifest.xml": manifest.encode(), "content.xml": content.encode()}
    )


def cells(money=lambda c: c / 100) -> list[list[object]]:
    return [[n, w, pd.Timestamp(d), money(c)] for n, w, d, c in ROWS]


def cases() -> dict[str, tuple[bytes, dict[str, object]]]:
    """File name to its bytes and its truth."""
    german = {"sep": ";", "day": lambda d: f"{d:%d.%m.%Y}", "money": comma}
    body = text().splitlines(keepends=True)
    total = f",Total,,{point(TRUTH['cents'])}\n"
    ragged = body[:10] + [body[10].rstrip() + ",stray\n"] + body[11:]
    short = body[:10] + ["A9999,C001\n"] + body[11:]
    positive = [r for r in ROWS if r[3] > 0]
    long = [(n, w, d, c) for n, w, d, c in ROWS if d.day > 12]
    one_way = [(n, w, d.replace(day=d.day % 12 + 1), c) for n, w, d, c in ROWS]
    twice = text(rows=ROWS + ROWS[5:15])
    frame = pd.DataFrame([(n, w, pd.Timestamp(d), c / 100) for n, w, d, c in ROWS], columns=HEADER)
    parquet = io.BytesIO()
    frame.to_parquet(parquet)
    feather = io.BytesIO()
    frame.to_feather(feather)
    counted = {"rows": len(long), "cents": sum(r[3] for r in long), "customers": len({r[1] for r in long})}
    made: dict[str, tuple[str | bytes, dict[str, object]]] = {
        "plain.csv": (text(), {}),
        "bom.csv": (text().encode("utf-8-sig"), {}),
        "utf16.csv": (text(sep="\t").encode("utf-16"), {}),
        "utf16le.txt": (text(sep="\t").encode("utf-16-le"), {}),
        "cp1252.csv": (text(**german, header=["Bestell-Nr", "Kunde", "Datum", "Betrag in €"]).encode("cp1252"), {"columns": {"amount": "Betrag in €"}}),
        "semicolon.csv": (text(**german), {}),
        "tab.tsv": (text(sep="\t"), {}),
        "tab_in_csv.csv": (text(sep="\t"), {}),
        "bar.txt": (text(sep="|"), {}),
        "crlf.csv": (text(end="\r\n"), {}),
        "mixed_ends.csv": (text(end="\r\n").replace("\r\n", "\n", 20), {}),
        "lines_in_cells.csv": (text(header=[*HEADER, "Note"], end="\r\n").replace("\r\n", ',"a\nb"\r\n').replace('Note,"a\nb"', "Note"), {}),
        "no_last_newline.csv": (text().rstrip("\n"), {}),
        "quoted.csv": (text(quote=True), {}),
        "blank_lines.csv": ("\n\n" + text().replace("\n", "\n\n", 5) + "\n\n", {}),
        "packed.csv.gz": (gzip.compress(text().encode(), mtime=0), {}),
        "title.csv": ("Orders 2024\nmade on 2025-01-02\n\n" + text(), {}),
        "title_semicolon.csv": ("Bestellungen;;;\n;;;\n" + text(**german), {}),
        "total_below.csv": (text() + total, {"rejected": 1}),
        "grand_total.csv": (text() + total.replace("Total", "Grand Total:"), {"rejected": 1}),
        "total_without_customer.csv": (text() + total.replace("Total", ""), {"rejected": 1}),
        "repeated_names.csv": ("".join(body[:20] + body[:1] + body[20:]), {"rejected": 1}),
        "decimal_comma_quoted.csv": (text(money=comma), {}),
        "thousands.csv": (text(money=lambda c: grouped(c, ",", ".")), {}),
        "thousands_point.csv": (text(sep=";", money=lambda c: grouped(c, ".", ",")), {}),
        "thousands_blank.csv": (text(sep=";", money=lambda c: grouped(c, "\u00a0", ",")), {}),
        "thousands_swiss.csv": (text(sep=";", money=lambda c: grouped(c, "'", ".")), {}),
        "euro_sign.csv": (text(sep=";", money=lambda c: grouped(c, ".", ",") + " €"), {}),
        "dollar_sign.csv": (text(money=lambda c: ("-" if c < 0 else "") + "$" + grouped(abs(c), ",", ".")), {}),
        "currency_code.csv": (text(money=lambda c: "EUR " + point(c)), {}),
        "minus_behind.csv": (text(money=lambda c: point(abs(c)) + ("-" if c < 0 else "")), {}),
        "brackets.csv": (text(money=lambda c: f"({point(-c)})" if c < 0 else point(c)), {}),
        "day_first.csv": (text(day=lambda d: f"{d:%d/%m/%Y}"), {}),
        "month_first.csv": (text(day=lambda d: f"{d:%m/%d/%Y}"), {}),
        "day_or_month.csv": (text(day=lambda d: f"{d:%d/%m/%Y}", rows=one_way), {"refused": "can be read in 2 ways"}),
        "compact_dates.csv": (text(day=lambda d: f"{d:%Y%m%d}"), {}),
        "named_months.csv": (text(day=lambda d: f"{d:%d-%b-%Y}"), {}),
        "short_years.csv": (text(day=lambda d: f"{d:%d.%m.%y}"), {}),
        "with_time.csv": (text(day=lambda d: f"{d}T10:30:00Z"), {}),
        "twelve_hours.csv": (text(day=lambda d: f"{d:%m/%d/%Y} 03:15 PM"), {}),
        "excel_days.csv": (text(day=as_serial), {}),
        "epoch.csv": (text(day=as_epoch), {}),
        "epoch_milliseconds.csv": (text(day=lambda d: as_epoch(d) + "000"), {}),
        "lost_dates.csv": (text().replace("2024-01-24", "2024-13-24"), {"lost": "2024-13-24"}),
        "bad_amounts.csv": (text(rows=long) + "A1,C001,2024-05-05,n/a\nA2,C001,2024-05-06,12.3.4\n", {**counted, "rejected": 2}),
        "guests.csv": (text() + "A1,,2024-05-05,20.00\nA2,,2024-05-06,30.00\n", {"rejected": 2}),
        "copied_lines.csv": (twice, {"rejected": 10}),
        "extra_cell.csv": ("".join(ragged), {"refused": "Line: 11"}),
        "missing_cells.csv": ("".join(short), {"refused": "Line: 11"}),
        "open_quote.csv": (text().replace("A1010,C010", '"A1010,C010'), {"refused": "cannot be read as a table"}),
        "latin_in_utf8.csv": (text().replace("C003", "Jos\u00e9").encode("cp1252"), {}),
        "pivot.csv": ("Customer,2024-01,2024-02,2024-03,2024-04\nC001,1,2,3,4\nC002,2,3,4,5\n", {"refused": "a column for each month"}),
        "only_names.csv": (text(rows=[]), {"refused": "no rows"}),
        "empty.csv": ("", {"refused": "empty"}),
        "picture.csv": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0", {"refused": "is no text"}),
        "cut_off.csv.gz": (gzip.compress(text().encode(), mtime=0)[:-12], {"refused": "cannot be unpacked"}),
        "one_column.csv": (text(sep="_", header=["Order", "Customer", "Date", "Total"]), {"refused": "cannot tell which column"}),
        "open_quote_in_names.csv": (text().replace("Customer", '"Customer', 1), {"refused": "line 1: the names of the columns"}),
        "inches.csv": (text(header=[*HEADER[:3], "Total", "Note"]).replace("\n", ',5" pipe\n').replace('Note,5" pipe', "Note"), {}),
        "comma_behind.csv": (text().replace("\n", ",\n"), {}),
        "old_mac.csv": (text(end="\r"), {}),
        "two_currencies.csv": (text(sep=";", money=lambda c: grouped(c, ".", ",") + (" €" if c % 2 else " $")), {"refused": "2 currencies"}),
        "sheet.xlsx": (workbook([HEADER, *cells()]), {}),
        "sheet_title.xlsx": (workbook([["Orders 2024"], [], HEADER, *cells()]), {}),
        "sheet_total.xlsx": (workbook([HEADER, *cells(), [None, "Total", None, TRUTH["cents"] / 100]]), {"rejected": 1}),
        "text_in_sheet.xlsx": (workbook([HEADER, *cells(comma)]), {}),
        "no_sheet.xlsx": (b"these are no bytes of a workbook", {"refused": "cannot be read as a workbook"}),
        "sheet.ods": (open_document([HEADER, *cells()]), {}),
        "sheet_title.ods": (open_document([["Orders 2024"], HEADER, *cells()]), {}),
        "cut_off.ods": (open_document([HEADER, *cells()])[:-400], {"refused": "cannot be read as a workbook"}),
        "packed.zip": (zipped({"orders.csv": text(**german).encode(), "__MACOSX/._orders.csv": b"\0\5"}), {}),
        "two_in_one.zip": (zipped({"2024/a.csv": "".join(body[:30]).encode(), "2024/b.csv": "".join(body[:1] + body[30:]).encode()}), {}),
        "way_out.zip": (zipped({"../../orders.csv": text().encode()}), {}),
        "mixed.zip": (zipped({"orders.csv": text().encode(), "readme.parquet": b"PAR1"}), {"refused": "several kinds"}),
        "empty_inside.zip": (zipped({"orders.csv": b""}), {"refused": "the file is empty"}),
        "no_file.zip": (zipped({"empty/": b""}), {"refused": "holds no file"}),
        "bomb.zip": (zipped({"orders.csv": b"0" * 60_000_000}), {"refused": "times its size"}),
        "cut_off.zip": (zipped({"orders.csv": text().encode()})[:-40], {"refused": "cannot be unpacked"}),
        "addresses.csv": (text(rows=[(n, f"{w}@Example.org" if int(n[1:]) % 2 else f"{w.lower()}@example.org", d, c) for n, w, d, c in ROWS]), {}),
        "table.parquet": (parquet.getvalue(), {}),
        "table.feather": (feather.getvalue(), {}),
        "lines.jsonl": ("".join(json.dumps({"Customer": w, "Date": iso(d), "Total": c / 100, "Order No": n}) + "\n" for n, w, d, c in ROWS), {}),
        "broken_lines.jsonl": (json.dumps({"Customer": "C001"}) + "\n{\"Customer\": \n", {"refused": "Malformed JSON"}),
        "positive_only.csv": (text(rows=positive), {"rows": len(positive), "cents": sum(r[3] for r in positive), "customers": len({r[1] for r in positive})}),
    }  # fmt: skip
    done = {}
    for name, (content, said) in made.items():
        truth = {"refused": said["refused"]} if "refused" in said else TRUTH | {"rejected": 0} | said
        done[name] = (content.encode() if isinstance(content, str) else content, truth)
    lost = [r for r in ROWS if iso(r[2]) == "2024-01-24"]
    done["lost_dates.csv"][1].pop("lost")
    done["lost_dates.csv"][1].update(
        rejected=len(lost), rows=len(ROWS) - len(lost), cents=TRUTH["cents"] - sum(r[3] for r in lost)
    )
    return done


if __name__ == "__main__":
    made = cases()
    for name, (content, _) in made.items():
        (HERE / name).write_bytes(content)
    (HERE / "truth.yaml").write_text(
        yaml.safe_dump({n: t for n, (_, t) in made.items()}, allow_unicode=True), encoding="utf-8"
    )
