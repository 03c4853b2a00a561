"""A client's folder: ``client.yaml`` says where the data lie, what the columns mean, and what money costs.

In: a folder with ``client.yaml``. Out: a checked, frozen ``Client``; or an error with file, key, value, what to do.
"""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote, unquote
from zoneinfo import ZoneInfo, available_timezones

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from ..core.errors import ClientError
from ..core.maths import days
from ..core.tables import closest
from ..core.words import Words
from .formulas import names_in

__all__ = ["FILE_DATABASE", "Client", "Connection", "Economics", "Source"]


_NO_KINDS = ("customer_id", "date", "order_id")
_LONGEST_SLUG = 100  # files beside it need room in the 255 bytes of a name


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _rate(value: float) -> float:
    if value > 1:
        raise ValueError(f"a rate is a fraction of one: write {value / 100:g} for {value:g} %")
    return value


def _duration(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"a duration needs a unit: write '{value} months' or '{value} days'")
    if days(value) > days("50 years"):
        raise ValueError("a horizon of more than 50 years is no forecast; 3 years is usual")
    return value


def _currency(value: str) -> str:
    if not re.fullmatch(r"[A-Z]{3}", value):
        raise ValueError("a currency is its three-letter code, such as EUR or USD")
    return value


def _timezone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError(
            f"not a time zone{closest(value, available_timezones())}; use a name such as Europe/Berlin or UTC"
        )
    return value


def _colour(value: str) -> str:
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", value):
        raise ValueError("a colour is written as #rrggbb, for example #1f6f8b")
    return value


def _locale(value: str) -> str:
    from babel import Locale, UnknownLocaleError

    try:
        Locale.parse(value)
    except (UnknownLocaleError, ValueError) as error:
        raise ValueError("a locale is a language or language_COUNTRY, for example en, en_GB or ro_RO") from error
    return value


_SECRET = re.compile(
    r"(//[^@:/]*:)(.*)(?=@)"
    r"|(\w*(?:password|passwd|pwd|token|secret|private_key|credentials|api_?key)\w*\s*=\s*)([^&;\s]+)",
    re.IGNORECASE,
)
_VARIABLE = re.compile(r"\$\{(\w+)\}")
# A database in a file: duckdb://orders.duckdb, sqlite:///srv/orders.db, or the path alone.
FILE_DATABASE = re.compile(
    r"(?i:(?P<engine>duckdb|sqlite)://)?(?P<file>(?!:memory:|md:|motherduck:|[\w+]+://)[^?]+?(?(engine)|\.(?:duckdb|sqlite|db)))"
    r"(?:\?(?P<settings>.*))?"
)


def _no_password(value: str) -> str:
    said = [m[2] or m[4] or "" for m in _SECRET.finditer(value)]
    if any(secret and not re.fullmatch(r"\$\{\w+\}", secret) for secret in said):
        raise ValueError(
            "a password does not belong in a file: write ${DB_PASSWORD} in its place, and `export DB_PASSWORD=…`"
        )
    return value


def _formula(value: str) -> str:
    names_in(value)
    return value


def _span(value: object) -> tuple[str, str]:
    """The first and the last day of ``2024-11-25`` or ``2024-11-25 to 2024-12-02``."""
    if isinstance(value, tuple | list) and len(value) == 2:
        value = f"{value[0]} to {value[1]}"
    parts = [part.strip() for part in str(value).split(" to ")]
    try:
        first, last = (date.fromisoformat(part) for part in (parts[0], parts[-1]))
    except ValueError as error:
        raise ValueError("write a day as 2024-11-25, and several as '2024-11-25 to 2024-12-02'") from error
    if len(parts) > 2 or last < first:
        raise ValueError("a span goes from its first day to its last: '2024-11-25 to 2024-12-02'")
    return first.isoformat(), last.isoformat()


def _text(value: object) -> object:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _keys_as_text(value: object) -> object:
    return {f"{k}": v for k, v in value.items()} if isinstance(value, dict) else value


Rate = Annotated[float, Field(ge=0), AfterValidator(_rate)]
Formula = Annotated[str, AfterValidator(_formula)]
Duration = Annotated[str, BeforeValidator(_duration)]
Span = Annotated[tuple[str, str], BeforeValidator(_span)]


class Connection(_Strict):
    """A table that a database holds: an Ibis URL and a table name; secrets come from the environment.

    ``${NAME}`` in the URL is replaced by that environment variable when the table is opened; a password may stand
    nowhere else.
    """

    connection: Annotated[str, AfterValidator(_no_password)]
    table: str

    @classmethod
    def checked(cls, connection: str, table: str) -> Connection:
        """Make one from what a user said; a password in it is refused."""
        inside = FILE_DATABASE.fullmatch(connection)
        if inside is not None:  # of a file, where it lies from here
            connection = connection.replace(inside["file"], str(Path(inside["file"]).absolute()), 1)
        try:
            return cls(connection=connection, table=table)
        except ValidationError as error:
            raise ClientError(f"--connection: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from None

    @property
    def shown(self) -> str:
        """The place without who asks, for errors."""
        return re.sub(r"//.*@", "//", _SECRET.sub(r"\1\3…", self.connection))

    def secrets(self) -> list[str]:
        """What no message may show: what the environment filled in, and what stands where a password does."""
        filled = [os.environ.get(name, "") for name in _VARIABLE.findall(self.connection)]
        written = [m[2] or m[4] or "" for m in _SECRET.finditer(self.connection)]
        known = {secret for secret in (*filled, *written) if secret}
        return sorted(known | {quote(s, safe="") for s in known} | {unquote(s) for s in known}, key=len, reverse=True)

    def url(self) -> str:
        """Return the URL with its ``${NAME}`` parts filled from the environment; a password may hold any sign."""
        user_ends = self.connection.rfind("@")

        def fill(match: re.Match[str]) -> str:
            value = os.environ.get(match[1])
            if value is None:
                raise ClientError(
                    f"the connection needs the environment variable {match[1]}, which is not set: "
                    f"run `export {match[1]}=…` before clvnb"
                )
            return quote(value, safe="") if match.start() < user_ends else value

        return _VARIABLE.sub(fill, self.connection)


class Source(_Strict):
    """Where one table lies, which of its columns mean what, and how its text is to be read.

    Attributes
    ----------
    source : str or Connection
        A path or glob relative to ``client.yaml``, or a database table.
    columns : mapping
        clvnb's name to the file's name, for example ``{customer_id: Customer No}``.
    date_format : str, optional
        As in ``strptime``, for example ``%d.%m.%Y``; ``excel`` for a spreadsheet's day numbers, ``epoch`` or ``epoch
        milliseconds`` for those of computers; without it dates must be ISO 8601.
    decimal, thousands : str
        How numbers are written.
    delimiter : str, optional
        The column separator; found by itself when left out.
    encoding : str
        Text encoding of the file.
    refunds : "net" or "drop"
        ``net``: negative amounts reduce what the customer is worth. ``drop``: they are excluded.
    exclude : mapping of column to values
        Rows to exclude, such as test orders: ``{status: [test, voided]}``; ``"*"`` is anything that is written.
    returns : mapping of column to values
        Rows that take money back, with or without a sign: ``{type: [Return, Credit note]}``.
    amount : str, optional
        A formula of names under ``columns``, where no single column is the amount: ``quantity * unit_price - discount``;
        names, numbers, brackets and ``+ - * /``. An empty cell of what is added or taken away counts nothing.
    refunded : str, optional
        The same for what was paid back, such as ``refund * subtotal / (order_total - shipping)`` where refunds hold tax
        and amounts do not.
    amount_of : "line" or "order"
        ``order``: each line of an order repeats the money of the whole order, which counts once.
    repeats : "drop" or "keep"
        ``drop``: a line of an order that is equal to another in every column is a copy. ``keep``: it is a further piece
        of the same price, in files that do not name products.
    ids : "text" or "number"
        ``number``: customers are numbers, and ``00123`` and ``123`` are one of them.
    sheet : str, optional
        Of a workbook; the first one when left out.
    dates_in : str, optional
        The time zone of times that do not say theirs, such as UTC; the client's own when left out.
    hash_ids : bool
        Replace ``customer_id`` by a code of 16 signs, made from the lower-case text, so that e-mail addresses go no
        further.
    questions : mapping of column to metric
        For surveys with a column per question: ``{"How likely are you to recommend us?": nps}``; ``csat 0-10`` says the
        scale.
    max_loss : float
        The largest share of rows that faults may cost, from 0 to 1; 0.35 when left out.
    """

    source: str | Connection
    columns: dict[str, str] = {}
    date_format: str | None = None
    decimal: Literal[".", ","] = "."
    thousands: Literal["", ",", ".", " ", "'"] = ""
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    encoding: str = "utf-8"
    refunds: Literal["net", "drop"] = "net"
    exclude: dict[str, list[Annotated[str, BeforeValidator(_text)]]] = {}
    returns: dict[str, list[Annotated[str, BeforeValidator(_text)]]] = {}
    max_loss: Rate = 0.35
    amount: Formula | None = None
    refunded: Formula | None = None
    amount_of: Literal["line", "order"] = "line"
    repeats: Literal["drop", "keep"] = "drop"
    ids: Literal["text", "number"] = "text"
    sheet: str | None = None
    dates_in: Annotated[str, AfterValidator(_timezone)] | None = None
    hash_ids: bool = False
    questions: dict[str, str] = {}


class Economics(_Strict):
    """What money costs and the margin of a sale; every rate is a fraction a year unless it says otherwise.

    Attributes
    ----------
    margin : float, optional
        Contribution margin as a share of revenue, above 0 and up to 1. Left out: values are revenue, and say so.
    discount_rate : float
        A year, effective, from 0 to 1; 0.10 is ten per cent.
    horizon : str
        The future span that is valued, up to 50 years: number and unit (days, weeks, months, quarters or years), such
        as ``3 years``.
    cost_to_serve : float
        Variable cost of one purchase (shop) or one billing period (subscription), in the client's currency.
    step : "day", "week", "month" or None
        None discounts continuously. Otherwise payments fall on the ends of whole steps, of which a year has
        365.25, 52 or 12, as in spreadsheets and older tutorials.

    Raises
    ------
    pydantic.ValidationError
        For a rate above 1 or below 0, a margin of 0, a cost below 0, or a horizon without a unit or beyond 50 years.

    Examples
    --------
    >>> Economics(margin=0.4, horizon="2 years").horizon_days, Economics().basis
    (730.5, 'revenue')
    """

    margin: Annotated[float, Field(gt=0), AfterValidator(_rate)] | None = None
    discount_rate: Rate = 0.10
    horizon: Duration = "3 years"
    cost_to_serve: Annotated[float, Field(ge=0)] = 0.0
    step: Literal["day", "week", "month"] | None = None

    @property
    def basis(self) -> str:
        """``margin`` when a margin is known, otherwise ``revenue``."""
        return "revenue" if self.margin is None else "margin"

    @property
    def margin_rate(self) -> float:
        """The share of revenue that is valued: the margin, or 1 on the revenue basis."""
        return 1.0 if self.margin is None else self.margin

    @property
    def horizon_days(self) -> float:
        """The horizon in days, a month a twelfth of 365.25."""
        return days(self.horizon)


class Plan(_Strict):
    """What step 3 plans with.

    Attributes
    ----------
    budget : float, optional
        A year, in the client's currency; a twentieth of the customers' yearly contribution when left out.
    levers : mapping of lever to settings
        The client's own figures in place of clvnb's assumptions, for example
        ``{better service: {yearly_cost: 1.2, reach: 0.5, effects: {satisfaction: [0, 0.1, 0.3]}}}``.
    opt_outs : str, optional
        A text file beside ``client.yaml``, one customer a line, who must not be contacted.
    """

    budget: Annotated[float, Field(ge=0)] | None = None
    levers: dict[str, dict[str, Any]] = {}
    opt_outs: str | None = None


class Brand(_Strict):
    """How the client's report looks.

    Attributes
    ----------
    logo : str, optional
        A picture beside ``client.yaml``.
    colour : str
        As ``#rrggbb``; ``#1f6f8b`` when left out.
    """

    logo: str | None = None
    colour: Annotated[str, AfterValidator(_colour)] = "#1f6f8b"


class Client(_Strict):
    """One business that is analysed.

    Read it with ``Client.load(folder)``; every field is a key of ``client.yaml``.

    Attributes
    ----------
    name : str
        As it is shown.
    kind : "shop" or "subscription"
        A shop never learns that a customer has left; a subscription does.
    currency : str
        ISO 4217 code.
    timezone : str
        The zone whose midnight ends the client's business day.
    as_of : date, optional
        The last date used; the last date in the data when left out.
    transactions, contracts, acquisition, surveys, service, initiatives : Source
        Where each table lies. ``transactions`` are needed; a subscription's ``contracts`` are read from its payments where
        no file has them.
    billing : mapping
        How often an amount is paid that comes back too seldom to tell: ``{190: annual}``, or ``once``.
    covariates : list of str
        Of a shop: names under ``transactions: columns:`` whose value at a customer's first order tells kinds of customers
        apart, such as ``[region, first_product]``; ``channel`` always does.
    calendar : mapping of name to list of days
        Of a shop: days on which all customers bought more or less than else, such as promotions, past and planned:
        ``{sale: [2024-11-25 to 2024-12-02]}``; under ``closed`` those without any business.
    economics : Economics
        Margin, cost to serve, discount rate and horizon.
    plan : Plan
        What step 3 may spend, and the client's own figures for its levers.
    rates : mapping or Source, optional
        What one unit of another currency is worth in the client's: ``{USD: 0.92}``, or a table of ``date, currency,
        rate``.
    locale : str
        The language, or language_COUNTRY, in which numbers, money and days are written, such as ``en_GB``.
    brand : Brand
        ``logo`` (path) and ``colour`` (#rrggbb) of reports.
    folder : Path
        Where ``client.yaml`` lies.

    Examples
    --------
    >>> from clvnb import load_sample
    >>> client = load_sample("cdnow")
    >>> client.kind, client.currency, client.economics.horizon
    ('shop', 'USD', '3 years')
    """

    name: Annotated[str, Field(min_length=1)]
    kind: Literal["shop", "subscription"] = "shop"
    currency: Annotated[str, AfterValidator(_currency)]
    timezone: Annotated[str, AfterValidator(_timezone)] = "UTC"
    locale: Annotated[str, AfterValidator(_locale)] = "en"
    as_of: date | None = None
    transactions: Source
    contracts: Source | None = None
    billing: Annotated[dict[str, str], BeforeValidator(_keys_as_text)] = {}
    acquisition: Source | None = None
    surveys: Source | None = None
    service: Source | None = None
    initiatives: Source | None = None
    rates: dict[str, Annotated[float, Field(gt=0)]] | Source | None = None
    covariates: list[str] = []
    calendar: dict[str, list[Span]] = {}
    economics: Economics = Economics()
    plan: Plan = Plan()
    brand: Brand = Brand()
    folder: Annotated[Path, Field(exclude=True)] = Path(".")

    @classmethod
    def load(cls, folder: str | Path) -> Client:
        """Read and check ``folder/client.yaml``.

        Parameters
        ----------
        folder : str or Path
            The client's folder, or the ``client.yaml`` in it.

        Returns
        -------
        Client
            Checked and frozen.

        Raises
        ------
        ClientError
            Naming the file, the key, the value and what to do.
        """
        if not isinstance(folder, str | os.PathLike):
            raise ClientError(
                f"the client's folder is {folder!r}, which is no text: papermill's -p takes 2024_01 or 007 for numbers; write -r client FOLDER"
            )
        file = Path(folder)
        file = file if file.suffix in {".yaml", ".yml"} else file / "client.yaml"
        if not file.is_file():
            raise ClientError(_no_client(Path(folder), file))
        try:
            raw = yaml.safe_load(file.read_text(encoding="utf-8"))
        except RecursionError as error:
            raise ClientError(f"{file}: is not readable as YAML: its brackets are nested too deep") from error
        except (yaml.YAMLError, ValueError) as error:  # a day that is none, a number of thousands of digits, no UTF-8
            raise ClientError(f"{file}: is not readable as YAML: {error}") from error
        if not isinstance(raw, dict):
            raise ClientError(f"{file}: must hold `key: value` lines such as `name: My shop`; see data/README.md")
        if "folder" in raw:
            raise ClientError(f"{file}: unknown key 'folder': remove it, the folder is where the file lies")
        try:
            client = cls(**raw, folder=file.parent.resolve())
        except (ValidationError, TypeError) as error:
            raise ClientError(_explain(file, error)) from error
        return client

    @model_validator(mode="after")
    def _of_a_shop(self) -> Client:
        if self.kind == "subscription" and self.covariates:
            raise ValueError(
                "`covariates:` tells kinds of a shop's customers apart; members are told apart by plan: leave it out"
            )
        if self.kind == "subscription" and self.calendar:
            raise ValueError(
                "`calendar:` is about a shop's purchases; members renew when their period ends: leave it out"
            )
        keys = [name for name in self.covariates if name in _NO_KINDS]
        if keys:
            raise ValueError(f"covariates: {keys[0]!r} is another one for nearly every order, and no kind of customer")
        if "trend" in self.calendar:
            raise ValueError("calendar: 'trend' is the forecast's own name: call these days otherwise")
        return self

    @property
    def slug(self) -> str:
        """The name of the client's folder, made safe: letters, digits, dot, dash and underscore.

        A name in other letters, or a very long one, is told from its like by eight signs of its hash.
        """
        name = unicodedata.normalize("NFC", self.folder.name)  # some disks write é as two signs
        plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
        safe = re.sub(r"[^A-Za-z0-9._-]+", "-", plain).strip(".-")
        if name.isascii() and len(safe) <= _LONGEST_SLUG:
            return safe or "client"
        code = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:8]
        return f"{safe[:_LONGEST_SLUG].rstrip('.-') or 'client'}-{code}"

    @cached_property
    def words(self) -> Words:
        """Says numbers in the client's currency and locale."""
        return Words(self.currency, self.locale)

    @property
    def zone(self) -> ZoneInfo:
        """The client's time zone, as ``zoneinfo.ZoneInfo``."""
        return ZoneInfo(self.timezone)

    def __repr__(self) -> str:
        return f"Client({self.name!r}, {self.kind}, {self.currency}, {self.folder})"

    __str__ = __repr__


def _no_client(folder: Path, file: Path) -> str:
    if not folder.exists():
        near = [p.parent for p in folder.parent.glob("*/client.yaml")] if folder.parent.exists() else []
        names = ", ".join(sorted(str(p) for p in near)[:8])
        there = f" Clients beside it: {names}." if names else ""
        return f"{folder}: no such client folder.{there} Make one with `clvnb init {folder} --transactions FILE`"
    return f"{file}: no such file. Make it with `clvnb init {folder} --transactions FILE`"


def _explain(file: Path, error: ValidationError | TypeError) -> str:
    """Say each fault as: key, value, what is wrong, what to do."""
    if isinstance(error, TypeError):
        return f"{file}: every key must be text: {error}"
    lines = []
    faults = error.errors()
    if any("Connection" in f["loc"] for f in faults):  # meant as a database: not being a path is no fault
        faults = [f for f in faults if not (f["type"] == "string_type" and isinstance(f["input"], dict))]
    for fault in faults:
        parts = [str(p) for p in fault["loc"] if p not in {"str", "Connection", "Source"} and "[" not in str(p)]
        key, value = ".".join(parts), fault["input"]
        reason = fault["msg"].removeprefix("Value error, ")
        if fault["type"] == "extra_forbidden":
            allowed = _keys_at(parts[:-1])
            reason = f"unknown key{closest(parts[-1], allowed)}; allowed here: {', '.join(allowed)}"
            lines.append(f"  {key}: {reason}")
        elif fault["type"] == "missing":
            lines.append(f"  {key}: is missing, and needed")
        else:
            shown = _SECRET.sub(r"\1\3…", value) if isinstance(value, str) else value
            lines.append(f"  {key}: {shown!r}: {reason}")
    return f"{file}:\n" + "\n".join(dict.fromkeys(lines))


def _keys_at(path: list[str]) -> list[str]:
    model: Any = Client
    for part in path:
        field = model.model_fields.get(part)
        found = [
            m for m in (Source, Economics, Plan, Brand) if field is not None and m.__name__ in str(field.annotation)
        ]
        if not found:
            return []
        model = found[0]
    return [k for k in model.model_fields if k != "folder"]
