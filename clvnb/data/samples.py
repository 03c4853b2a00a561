"""Example clients, and simulators whose true parameters are known.

In: a name, or a seed. Out: a ``Client``, or tables as a real shop would export them, with the truth beside them.
``python -m clvnb.data.samples data`` writes the two simulated clients again.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..core.errors import ClientError
from .begin import begin_client
from .client import Client

__all__ = ["Simulated", "guide_folder", "load_sample", "simulate_clients", "simulate_shop", "simulate_subscription"]

_FIRST = "Anna Ben Clara David Elif Finn Greta Hannes Ida Jonas Karla Lukas Mia Noah Olga Paul Rosa Samir Tess Viktor"
_LAST = (
    "Adler Bauer Çelik Dietz Engel Fuchs Groß Hahn Imhof Jung König Lang Maier Nowak Otto Popescu Roth Šimić Weber Zhu"
)
_MONTH = np.array([0.92, 0.86, 0.93, 0.92, 0.95, 0.88, 0.84, 0.86, 0.95, 1.02, 1.38, 1.49])  # January to December


@dataclass(frozen=True)
class Simulated:
    """A simulated client.

    Attributes
    ----------
    tables : dict of name to pandas.DataFrame
        As the client would export them: text, the client's own column names, and its disorder.
    truth : dict
        The parameters that made them.
    """

    tables: dict[str, pd.DataFrame]
    truth: dict[str, Any]


def guide_folder(part: str = "notebooks") -> Path:
    """Return the folder of the guide's ``notebooks`` or example ``data``, in a checkout or an installed package."""
    package = Path(__file__).resolve().parent.parent
    for place in (package / "_guide" / part, package.parent / part):
        if place.is_dir():
            return place
    raise ClientError(f"clvnb's {part} are missing from {package}; install the package again")


def load_sample(name: str) -> Client:
    """Return one of the example clients: ``cdnow`` (real), ``shop`` or ``subscription`` (simulated).

    Parameters
    ----------
    name : "cdnow", "shop" or "subscription"
        ``cdnow``: 23,570 customers of 1997 to 1998. ``shop`` and ``subscription``: with surveys and an initiative.

    Returns
    -------
    Client
        As ``Client.load`` reads its folder.

    Raises
    ------
    ClientError
        For a name that is none of them.

    Examples
    --------
    >>> load_sample("cdnow").name
    'CDNOW'
    """
    folder = guide_folder("data")
    known = sorted(p.parent.name for p in folder.glob("*/client.yaml"))
    if name not in known:
        raise ClientError(f"there is no example client {name!r}; there are: {', '.join(known)}")
    return Client.load(folder / name)


# ------------------------------------------------------------------------------------------------- shop

SHOP_TRUTH: dict[str, Any] = {
    "customers": 6000,
    "start": "2023-07-01",
    "as_of": "2025-12-31",
    "channels": {"search": 0.6, "social": 0.4},
    "purchase_rate_shape": 1.1,
    "purchase_rate_scale_days": {"search": 75.0, "social": 125.0},
    "dropout_logit_mean": -1.25,
    "dropout_logit_sd": 0.8,
    "dropout_logit_per_satisfaction_point": -0.45,
    "satisfaction_mean": {"search": 3.9, "social": 3.5},
    "satisfaction_sd": 0.8,
    "spend_p": 5.0,
    "spend_q": 4.0,
    "spend_v": {"search": 27.0, "social": 22.0},
    "refund_share": 0.05,
    "initiative": "faster replies",
    "initiative_start": "2025-02-01",
    "initiative_satisfaction_gain": 0.5,
    "holdout_share": 0.2,
    "waves": ["2024-06-10", "2024-12-09", "2025-06-09", "2025-12-08"],
    # How much of what a customer feels shows in the rating, what is added to it, and what they had expected of it.
    "attributes": {
        "delivery": {"felt": 0.7, "added": 0.2, "noise": 0.7, "expected": 4.2},
        "replies": {"felt": 0.9, "added": -0.6, "noise": 0.5, "expected": 4.0},
        "ease": {"felt": 0.5, "added": 0.3, "noise": 0.8, "expected": 3.8},
        "information": {"felt": 0.3, "added": 0.0, "noise": 0.8, "expected": 3.6},
        "price": {"felt": 0.15, "added": -0.2, "noise": 0.9, "expected": 3.4},
    },
    "case_share": 0.06,
    "reply_hours_median": {"before": 20.0, "after": 11.0},
}


def simulate_shop(seed: int = 7, customers: int = 6000) -> Simulated:
    """Simulate a tea shop: purchases until a drop-out whose odds fall with satisfaction.

    Each customer buys at a rate from a gamma, times the month's season; after every purchase, the first included, the
    log-odds to leave for good are normal plus -0.45 per point of satisfaction above 3.5. From the initiative's start
    the treated are half a point more satisfied. Spend is Gamma-Gamma. Refunds, guest and test orders and a repeated
    export page come on top.

    Parameters
    ----------
    seed : int
        Of the random draws; equal seeds give equal tables.
    customers : int
        How many join over two and a half years.

    Returns
    -------
    Simulated
        Tables ``orders, surveys, service, acquisition, initiatives``: text as a German shop exports it, money in EUR.
        ``orders`` has ``Bestellnr, Bestelldatum, Kundennr, Name, Kanal, Status, Betrag``.

    Examples
    --------
    >>> made = simulate_shop(seed=1, customers=60)
    >>> list(made.tables), made.truth["holdout_share"]
    (['orders', 'surveys', 'service', 'acquisition', 'initiatives'], 0.2)
    """
    rng = np.random.default_rng(seed)
    truth = SHOP_TRUTH | {"customers": customers, "seed": seed}
    start, end = pd.Timestamp(truth["start"]), pd.Timestamp(truth["as_of"])
    people = _shop_people(rng, truth, start, end)
    people["treated"] &= people["born"] < pd.Timestamp(truth["initiative_start"])
    orders = _shop_orders(rng, people, truth, start, end)
    waves = [_wave(rng, people, orders, truth, wave) for wave in truth["waves"]]
    more = np.random.default_rng(seed + 1000)  # a stream of its own: what was simulated before stays as it is
    rated = [_ratings(more, people, wave, truth) for wave in waves[-2:]]
    return Simulated(
        {
            "orders": _shop_export(rng, orders, people),
            "surveys": pd.concat([*waves, *rated], ignore_index=True),
            "service": _service_cases(more, people, orders, truth),
            "acquisition": _spend_by_channel(people, {"search": 14.0, "social": 17.0}, rng),
            "initiatives": _assignment(people, truth),
        },
        truth,
    )


def _shop_people(
    rng: np.random.Generator, truth: dict[str, Any], start: pd.Timestamp, end: pd.Timestamp
) -> pd.DataFrame:
    n, span = truth["customers"], (end - start).days
    days = np.arange(span - 20)
    season = _MONTH[(start + pd.to_timedelta(days, unit="D")).month.to_numpy() - 1]
    born = np.sort(rng.choice(days, size=n, p=season / season.sum()))
    names = list(truth["channels"])
    channel = rng.choice(names, size=n, p=list(truth["channels"].values()))
    pick = {c: channel == c for c in names}
    scale = np.select(list(pick.values()), [truth["purchase_rate_scale_days"][c] for c in names])
    liking = np.select(list(pick.values()), [truth["satisfaction_mean"][c] for c in names])
    v = np.select(list(pick.values()), [truth["spend_v"][c] for c in names])
    first, last = rng.choice(_FIRST.split(), n), rng.choice(_LAST.split(), n)
    return pd.DataFrame(
        {
            "customer_id": [f"{k:06d}" for k in rng.permutation(np.arange(1, n + 1) * 7 + 1041)],
            "name": [f"{f} {s}" for f, s in zip(first, last, strict=True)],
            "born": start + pd.to_timedelta(born, unit="D"),
            "channel": channel,
            "rate": rng.gamma(truth["purchase_rate_shape"], 1 / scale),
            "satisfaction": np.clip(liking + rng.normal(0, truth["satisfaction_sd"], n), 1, 5),
            "dropout_logit": rng.normal(truth["dropout_logit_mean"], truth["dropout_logit_sd"], n),
            "nu": rng.gamma(truth["spend_q"], 1 / v),
            "treated": rng.random(n) >= truth["holdout_share"],
        }
    )


def _shop_orders(
    rng: np.random.Generator,
    people: pd.DataFrame,
    truth: dict[str, Any],
    start: pd.Timestamp,
    end: pd.Timestamp,
) -> pd.DataFrame:
    """Walk through each customer's purchases, day by day of chance, until drop-out or the end."""
    launch = (pd.Timestamp(truth["initiative_start"]) - start).days
    last = (end - start).days
    peak, slope = _MONTH.max(), truth["dropout_logit_per_satisfaction_point"]
    season = _MONTH[(start + pd.to_timedelta(np.arange(last + 1), unit="D")).month.to_numpy() - 1]
    rows = []
    for k, person in enumerate(people.itertuples(index=False)):
        t = float((person.born - start).days) + rng.random()
        while t <= last:
            rows.append((k, t, rng.gamma(truth["spend_p"]) / person.nu))
            lift = truth["initiative_satisfaction_gain"] if t >= launch and person.treated else 0.0
            logit = person.dropout_logit + slope * (person.satisfaction + lift - 3.5)
            if rng.random() < 1 / (1 + np.exp(-logit)):
                break
            while True:  # thinning: candidates at the peak rate, kept with the season's share of it
                t += rng.exponential(1 / (person.rate * peak))
                if t > last or rng.random() < season[int(t)] / peak:
                    break
    orders = pd.DataFrame(rows, columns=["person", "t", "amount"]).sort_values("t", ignore_index=True)
    orders["when"] = start + pd.to_timedelta(orders["t"], unit="D")
    orders["amount"] = orders["amount"].round(2).clip(lower=1.5)
    return orders


def _shop_export(rng: np.random.Generator, orders: pd.DataFrame, people: pd.DataFrame) -> pd.DataFrame:
    """Write orders the way a shop system exports them."""
    n = len(orders)
    who = people.loc[orders["person"]].reset_index(drop=True)
    table = pd.DataFrame(
        {
            "Bestellnr": [f"L-{100000 + k}" for k in range(n)],
            "when": orders["when"].to_numpy(),
            "Kundennr": who["customer_id"],
            "Name": who["name"],
            "Kanal": who["channel"],
            "Status": "paid",
            "amount": orders["amount"].to_numpy(),
        }
    )
    taken_back = table[rng.random(n) < SHOP_TRUTH["refund_share"]].copy()
    part = np.where(rng.random(len(taken_back)) < 0.6, 1.0, 0.5)
    taken_back["amount"] = -(taken_back["amount"] * part).round(2)
    taken_back["when"] = taken_back["when"] + pd.to_timedelta(rng.integers(2, 21, len(taken_back)), unit="D")
    taken_back["Status"] = "refunded"
    guests = table[rng.random(n) < 0.012].copy()
    guests[["Kundennr", "Name"]] = ["", ""]
    guests["Bestellnr"] = [f"L-{900000 + k}" for k in range(len(guests))]
    tests = table.sample(9, random_state=1).assign(Status="test", amount=0.01)
    tests["Bestellnr"] = [f"T-{k}" for k in range(9)]
    table = pd.concat([table, taken_back, guests, tests]).sort_values("when", kind="stable")
    table = table[table["when"] < pd.Timestamp(SHOP_TRUTH["as_of"]) + pd.Timedelta(days=1)]
    page = table.iloc[4000:4060]  # one page of the export came twice
    table = pd.concat([table, page], ignore_index=True)
    out = table.drop(columns=["when", "amount"])
    out.insert(1, "Bestelldatum", table["when"].dt.strftime("%d.%m.%Y %H:%M"))
    out["Betrag"] = [f"{v:,.2f} €".translate(str.maketrans(",.", ".,")) for v in table["amount"]]
    return out


def _wave(
    rng: np.random.Generator, people: pd.DataFrame, orders: pd.DataFrame, truth: dict[str, Any], wave: str
) -> pd.DataFrame:
    """Ask customers who bought in the half year before; the more satisfied answer more often."""
    day = pd.Timestamp(wave)
    recent = orders["when"].between(day - pd.Timedelta(days=180), day)
    asked = people.loc[np.sort(orders.loc[recent, "person"].unique())]
    lift = truth["initiative_satisfaction_gain"] if wave >= truth["initiative_start"] else 0.0
    felt = asked["satisfaction"] + lift * asked["treated"]
    answers = rng.random(len(asked)) < 1 / (1 + np.exp(1.4 - 0.5 * (felt - 3.5)))
    felt, asked = felt[answers], asked[answers]
    csat = np.clip(np.round(felt + rng.normal(0, 0.5, len(felt))), 1, 5).astype(int)
    nps = np.clip(np.round(2.2 * felt + rng.normal(0, 1.2, len(felt)) - 0.6), 0, 10).astype(int)
    sent = pd.Series(day, index=asked.index)
    answered = sent + pd.to_timedelta(rng.integers(0, 14, len(asked)), unit="D")
    common = {"customer_no": asked["customer_id"], "invited": sent.dt.strftime("%Y-%m-%d"),
              "answered": answered.dt.strftime("%Y-%m-%d"), "wave": f"{day:%Y-%m}"}  # fmt: skip
    remarks = np.array(
        ["", "", "", "schnelle Lieferung", "delivery took too long", "lovely packaging", "reply was slow"]
    )
    return pd.concat(
        [
            pd.DataFrame(common | {"question": "csat", "score": csat, "scale_min": 1, "scale_max": 5}
                         | {"comment": rng.choice(remarks, len(asked))}),
            pd.DataFrame(common | {"question": "nps", "score": nps, "scale_min": 0, "scale_max": 10, "comment": ""}),
        ],
        ignore_index=True,
    )  # fmt: skip


def _ratings(rng: np.random.Generator, people: pd.DataFrame, wave: pd.DataFrame, truth: dict[str, Any]) -> pd.DataFrame:
    """The same forms' ratings of five attributes, beside what had been expected of each."""
    asked = wave[wave["question"] == "csat"]
    who = people.set_index("customer_id").loc[asked["customer_no"]]
    lift = truth["initiative_satisfaction_gain"] if asked["wave"].iloc[0] >= truth["initiative_start"][:7] else 0.0
    felt = (who["satisfaction"] + lift * who["treated"]).to_numpy(float)
    parts = []
    for name, how in truth["attributes"].items():
        rating = how["felt"] * felt + (1 - how["felt"]) * 3.7 + how["added"] + rng.normal(0, how["noise"], len(felt))
        hoped = how["expected"] + rng.normal(0, 0.6, len(felt))
        parts.append(asked.assign(score=np.clip(np.round(rating), 1, 5).astype(int), comment="", attribute=name,
                                  expected=np.clip(np.round(hoped), 1, 5).astype(int).astype(str)))  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def _service_cases(
    rng: np.random.Generator, people: pd.DataFrame, orders: pd.DataFrame, truth: dict[str, Any]
) -> pd.DataFrame:
    """Questions and complaints after some of the orders, and when they were answered and closed."""
    after = orders[rng.random(len(orders)) < truth["case_share"]]
    opened = after["when"] + pd.to_timedelta(rng.uniform(1, 8 * 24, len(after)), unit="h")
    late = opened >= pd.Timestamp(truth["initiative_start"])
    helped = late & people.loc[after["person"], "treated"].to_numpy()
    median = np.where(helped, truth["reply_hours_median"]["after"], truth["reply_hours_median"]["before"])
    reply = opened + pd.to_timedelta(median * np.exp(rng.normal(0, 0.8, len(after))), unit="h")
    closed = reply + pd.to_timedelta(24 * np.exp(rng.normal(0, 1.0, len(after))), unit="h")
    end = pd.Timestamp(truth["as_of"]) + pd.Timedelta(days=1)
    cases = pd.DataFrame(
        {
            "case": [f"S-{k:05d}" for k in range(len(after))],
            "customer_no": people.loc[after["person"], "customer_id"].to_numpy(),
            "opened": opened.dt.strftime("%Y-%m-%d %H:%M"),
            "answered": reply.dt.strftime("%Y-%m-%d %H:%M").where((reply < end) & (rng.random(len(after)) > 0.02), ""),
            "closed": closed.dt.strftime("%Y-%m-%d %H:%M").where(closed < end, ""),
            "by": rng.choice(["mail", "telephone", "social media"], len(after), p=[0.6, 0.25, 0.15]),
        }
    )
    cases.loc[cases["answered"] == "", "closed"] = ""
    return cases[opened.to_numpy() < end].reset_index(drop=True)


def _spend_by_channel(people: pd.DataFrame, per_customer: dict[str, float], rng: np.random.Generator) -> pd.DataFrame:
    """Advertising paid each month and channel, about ``per_customer`` for each new customer."""
    month = people["born"].dt.strftime("%Y-%m")
    new = people.groupby([month.rename("month"), "channel"]).size().reset_index(name="new_customers")
    new["amount"] = (new["new_customers"] * new["channel"].map(per_customer) * rng.uniform(0.85, 1.15, len(new))).round(
        2
    )
    return new.assign(component="advertising")[["month", "channel", "component", "amount", "new_customers"]]


def _assignment(people: pd.DataFrame, truth: dict[str, Any]) -> pd.DataFrame:
    """Who was drawn to get the initiative: everybody known when it starts."""
    known = people[people["born"] < pd.Timestamp(truth["initiative_start"])].sort_values("customer_id")
    return pd.DataFrame(
        {
            "initiative": truth["initiative"],
            "start": truth["initiative_start"],
            "customer_no": known["customer_id"],
            "group": np.where(known["treated"], "treated", "holdout"),
            "cost": np.where(known["treated"], 0.80, 0.0),
            "planned": 1 - truth["holdout_share"],
            "spillover": "no",
        }
    )


# ----------------------------------------------------------------------------------------- subscription

SUBSCRIPTION_TRUTH: dict[str, Any] = {
    "customers": 3000,
    "start": "2022-07-01",
    "as_of": "2025-12-31",
    "plans": {
        "monthly": {"share": 0.7, "months": 1, "price": 18.0, "alpha": 0.9, "beta": 10.0},
        "annual": {"share": 0.3, "months": 12, "price": 180.0, "alpha": 1.2, "beta": 3.0},
    },
    "channels": {"friends": 0.35, "advertising": 0.65},
    "initiative": "welcome call",
    "initiative_start": "2024-07-01",
    "initiative_churn_factor": 0.7,
    "holdout_share": 0.3,
    "waves": ["2024-05-13", "2025-01-13", "2025-09-08"],
}


def simulate_subscription(seed: int = 11, customers: int = 3000) -> Simulated:
    """Simulate a coffee club: monthly and annual contracts whose chance to end is beta distributed across customers.

    Without the initiative each plan is exactly shifted beta-geometric. Members who join from the initiative's start on
    and are drawn for it leave with 0.7 times their own chance at each renewal.

    Parameters
    ----------
    seed : int
        Of the random draws; equal seeds give equal tables.
    customers : int
        How many join over three and a half years.

    Returns
    -------
    Simulated
        Tables ``contracts, payments, surveys, acquisition, initiatives``, money in GBP. ``contracts`` has ``Member,
        Joined, Cancelled, Plan, Price, Source``.

    Examples
    --------
    >>> made = simulate_subscription(seed=1, customers=60)
    >>> list(made.tables), made.truth["plans"]["annual"]["price"]
    (['contracts', 'payments', 'surveys', 'acquisition', 'initiatives'], 180.0)
    """
    rng = np.random.default_rng(seed)
    truth = SUBSCRIPTION_TRUTH | {"customers": customers, "seed": seed}
    start, end = pd.Timestamp(truth["start"]), pd.Timestamp(truth["as_of"])
    people = _members(rng, truth, start, end)
    payments = _payments(people, end)
    waves = [_member_wave(rng, people, truth, wave) for wave in truth["waves"]]
    covered = people["born"] >= pd.Timestamp(truth["initiative_start"])
    return Simulated(
        {
            "contracts": _contract_export(people),
            "payments": payments,
            "surveys": pd.concat(waves, ignore_index=True),
            "acquisition": _spend_by_channel(people, {"friends": 9.0, "advertising": 42.0}, rng),
            "initiatives": _member_assignment(people[covered], truth),
        },
        truth,
    )


def _members(rng: np.random.Generator, truth: dict[str, Any], start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
    n = truth["customers"]
    plans, shares = list(truth["plans"]), [p["share"] for p in truth["plans"].values()]
    plan = rng.choice(plans, size=n, p=shares)
    alpha, beta, months, price = (
        np.array([truth["plans"][p][key] for p in plan]) for key in ("alpha", "beta", "months", "price")
    )
    born = start + pd.to_timedelta(np.sort(rng.integers(0, (end - start).days, n)), unit="D")
    theta = rng.beta(alpha, beta)
    treated = (rng.random(n) >= truth["holdout_share"]) & (born >= pd.Timestamp(truth["initiative_start"]))
    chance = np.clip(theta * np.where(treated, truth["initiative_churn_factor"], 1.0), 1e-9, 1)
    last_paid = rng.geometric(chance)  # periods paid for in a whole life, at least one
    people = pd.DataFrame(
        {
            "customer_id": [f"HC{k:05d}" for k in rng.permutation(np.arange(1, n + 1) + 20000)],
            "born": born, "plan": plan, "months": months.astype(int), "price": price, "theta": theta,
            "treated": treated, "channel": rng.choice(list(truth["channels"]), n, p=list(truth["channels"].values())),
            "periods": np.minimum(last_paid, 600 // months.astype(int)),
            "satisfaction": np.clip(4.6 - 6.0 * theta * 12 / (12 * months ** 0.55) + rng.normal(0, 0.6, n), 1, 5),
        }
    )  # fmt: skip
    ends = [
        b + pd.DateOffset(months=int(p * m)) for b, p, m in zip(born, people["periods"], people["months"], strict=True)
    ]
    people["end"] = pd.Series(ends).where(lambda s: s <= end)
    return people


def _payments(people: pd.DataFrame, end: pd.Timestamp) -> pd.DataFrame:
    rows = [
        (
            member.customer_id,
            member.born + pd.DateOffset(months=k * member.months),
            member.price,
            member.channel,
        )
        for member in people.itertuples(index=False)
        for k in range(member.periods)
        if member.born + pd.DateOffset(months=k * member.months) <= end
    ]
    paid = pd.DataFrame(rows, columns=["member", "paid_on", "gross", "source"]).sort_values(
        ["paid_on", "member"], ignore_index=True
    )
    return pd.DataFrame(
        {
            "Invoice": [f"INV{k:07d}" for k in range(len(paid))],
            "Member": paid["member"],
            "Paid at": paid["paid_on"].dt.strftime("%Y-%m-%dT09:%M:00+00:00"),
            "Amount": [f"£{v:,.2f}" for v in paid["gross"]],
            "Source": paid["source"],
        }
    )


def _contract_export(people: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "Member": people["customer_id"],
            "Joined": people["born"].dt.strftime("%Y-%m-%d"),
            "Cancelled": people["end"].dt.strftime("%Y-%m-%d").fillna(""),
            "Plan": people["plan"],
            "Price": people["price"].map("{:.2f}".format),
            "Source": people["channel"],
        }
    )


def _member_wave(rng: np.random.Generator, people: pd.DataFrame, truth: dict[str, Any], wave: str) -> pd.DataFrame:
    day = pd.Timestamp(wave)
    asked = people[(people["born"] < day) & (people["end"].isna() | (people["end"] > day))]
    felt = asked["satisfaction"] + 0.3 * asked["treated"]
    answers = rng.random(len(asked)) < 1 / (1 + np.exp(0.6 - 0.4 * (felt - 3.5)))
    felt, asked = felt[answers], asked[answers]
    answered = pd.Series(day, index=asked.index) + pd.to_timedelta(rng.integers(0, 10, len(asked)), unit="D")
    common = {"member": asked["customer_id"], "invited": f"{day:%Y-%m-%d}",
              "answered": answered.dt.strftime("%Y-%m-%d"), "wave": f"{day:%Y-%m}"}  # fmt: skip
    csat = np.clip(np.round(felt + rng.normal(0, 0.5, len(felt))), 1, 5).astype(int)
    ces = np.clip(np.round(1.4 * felt + rng.normal(0, 0.9, len(felt)) - 0.5), 1, 7).astype(int)
    return pd.concat(
        [
            pd.DataFrame(common | {"question": "csat", "score": csat, "scale_min": 1, "scale_max": 5}),
            pd.DataFrame(common | {"question": "ces", "score": ces, "scale_min": 1, "scale_max": 7}),
        ],
        ignore_index=True,
    )


def _member_assignment(people: pd.DataFrame, truth: dict[str, Any]) -> pd.DataFrame:
    known = people.sort_values("customer_id")
    return pd.DataFrame(
        {
            "initiative": truth["initiative"],
            "start": truth["initiative_start"],
            "member": known["customer_id"],
            "group": np.where(known["treated"], "treated", "holdout"),
            "cost": np.where(known["treated"], 6.50, 0.0),
            "planned": 1 - truth["holdout_share"],
            "spillover": "no",
            "lever": "welcome and onboarding",
        }
    )


def simulate_clients(
    folder: str | Path, number: int, *, customers: int = 300, broken: int = 0, seed: int = 100
) -> list[Path]:
    """Write the folders of many small shops, to try out what is done with hundreds of clients.

    Parameters
    ----------
    folder : path
        What is in it under the same names is written again.
    number : int
        How many clients.
    customers : int
        Of each.
    broken : int
        So many of them, the last ones, have an export without rows.
    seed : int
        Of the first client; the next ones count on.

    Returns
    -------
    list of Path
        The clients' folders.

    Raises
    ------
    ValueError
        When ``broken`` exceeds the number of clients.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     made = simulate_clients(place, 2, customers=60, broken=1)
    ...     [(p.name, sorted(f.name for f in p.iterdir())) for p in made]
    [('client-001', ['client.yaml', 'orders.csv']), ('client-002', ['client.yaml', 'orders.csv'])]
    """
    if not 0 <= broken <= number:
        raise ValueError(f"broken must lie between 0 and the {number} clients, got {broken}")
    made: list[Path] = []
    for k in range(number):
        place = Path(folder) / f"client-{k + 1:03d}"
        place.mkdir(parents=True, exist_ok=True)
        (place / "client.yaml").unlink(missing_ok=True)
        orders = simulate_shop(seed=seed + k, customers=customers).tables["orders"]
        orders.to_csv(place / "orders.csv", sep=";", index=False)
        if made:  # all exports have the same columns: what was found in the first holds for the others
            text = (made[0] / "client.yaml").read_text(encoding="utf-8")
            renamed = text.replace("name: Tea shop 1\n", f"name: Tea shop {k + 1}\n", 1)
            (place / "client.yaml").write_text(renamed, encoding="utf-8")
        else:
            begin_client(place, place / "orders.csv", name="Tea shop 1", margin=0.45)
        if k >= number - broken:
            orders.head(0).to_csv(place / "orders.csv", sep=";", index=False)
        made.append(place)
    return made


def write(folder: str | Path) -> None:
    """Write the tables of both simulated clients below ``folder``, as they are shipped."""
    shop, club = simulate_shop(), simulate_subscription()
    for name, simulated, separators in (("shop", shop, {"orders": ";"}), ("subscription", club, {})):
        place = Path(folder) / name
        place.mkdir(parents=True, exist_ok=True)
        for table, frame in simulated.tables.items():
            frame.to_csv(place / f"{table}.csv", index=False, sep=separators.get(table, ","), lineterminator="\n")


if __name__ == "__main__":
    import sys

    write(sys.argv[1])
