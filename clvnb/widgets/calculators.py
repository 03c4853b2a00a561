"""Panels that need no client: what a customer is worth by formula, how many answers a score takes, what a test could show.

In: nothing, or a client's words. Out: panels; every answer is a function of its own that works without them.
"""

from __future__ import annotations

import pandas as pd

from ..core.results import Finding
from ..core.words import Words
from ..experiments.planning import detectable_change, margin_of_error_size, sample_size
from ..experiments.verdicts import choose_design
from ..plots import plot_methods
from ..value.formulas import clv_basic, clv_retention, elasticity, retention_spend
from .panel import Panel, State, choice, rows, slider, tick

__all__ = [
    "answer_clv",
    "answer_design",
    "answer_sample_size",
    "explore_clv",
    "explore_design",
    "explore_sample_size",
]


def explore_clv(*, words: Words | None = None) -> Panel:
    """Show a calculator of customer lifetime value: the formulas side by side, their parts on sliders.

    Parameters
    ----------
    words : Words, optional
        The client's currency and language.

    Returns
    -------
    Panel
        ``panel.state`` holds the settings, and to set one is to move its slider: ``purchase`` (money), ``frequency``
        (purchases a year), ``margin`` (share), ``lifespan`` (years), ``retention`` and ``raised`` (a year, 0 to 0.99),
        ``discount_rate`` (a year). ``panel.state.found.table`` has ``method, value, low, high, why``.

    Examples
    --------
    >>> panel = explore_clv(words=Words("EUR"))
    >>> panel.state.lifespan = 5
    >>> float(panel.state.found.table["value"][0])
    1000.0
    """
    words = words or Words("XXX")
    controls = {
        "purchase": slider("average purchase", 50.0, 1.0, 500.0, 1.0),
        "frequency": slider("purchases a year", 4.0, 0.2, 52.0, 0.2),
        "margin": slider("margin of revenue", 0.4, 0.01, 1.0, 0.01, share=True),
        "lifespan": slider("lifespan in years", 3.0, 0.5, 20.0, 0.5),
        "retention": slider("retention a year", 0.7, 0.0, 0.99, 0.01, share=True),
        "discount_rate": slider("discount rate a year", 0.1, 0.0, 0.3, 0.01, share=True),
        "raised": slider("retention raised to", 0.75, 0.0, 0.99, 0.01, share=True),
    }
    state = State(lambda **s: answer_clv(**s, words=words), **{k: c.value for k, c in controls.items()})
    return Panel(
        "What is a customer worth?",
        state,
        controls,
        draw=[lambda found: plot_methods(found.table, words=words)],
    )


def answer_clv(
    purchase: float,
    frequency: float,
    margin: float,
    lifespan: float,
    retention: float,
    discount_rate: float,
    raised: float,
    *,
    words: Words,
) -> Finding:
    """Say what a customer is worth by each formula, and what raising retention may cost.

    Parameters
    ----------
    purchase : float
        Average purchase value, in the client's currency.
    frequency : float
        Purchases a year.
    margin : float
        Contribution as a share of revenue.
    lifespan : float
        Years as a customer.
    retention, raised : float
        A year, now and as hoped for.
    discount_rate : float
        A year.
    words : Words
        The client's currency and language.

    Returns
    -------
    Finding
        ``method, value, low, high, why``, as the comparison of methods in chapter 1.

    Examples
    --------
    >>> print(answer_clv(50, 5, 0.4, 5, 0.8, 0.1, 0.82, words=Words("EUR")))
    A customer brings €100 of margin a year. A retention of 80% means 5.0 years on average, as on the slider. A new customer is \
worth €367, one who has just paid €267 more. Raising retention from 80% to 82% would add €26.19, so it may cost up to €6.67 a year \
for each customer. One per cent more retention adds 2.7%.
    """
    a_year = purchase * frequency * margin
    new = clv_retention(a_year, retention, discount_rate, "start_certain")
    known = clv_retention(a_year, retention, discount_rate, "next_if_retained")
    three = clv_retention(a_year, retention, discount_rate, "start_certain", periods=3)
    rows = [
        ("Revenue formula", clv_basic(lifespan, purchase * frequency), "Average purchase x purchases a year x years."),
        ("Margin formula", clv_basic(lifespan, a_year), "The same after the cost of goods: revenue is not value."),
        ("Retention, undiscounted", clv_retention(a_year, retention, 0.0, "start_certain"), "Customers leave a part each year, not all at once."),
        ("Retention formula", new, "In today's money, for ever."),
        ("Retention formula, 3 years", three, "No further than can be seen."),
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["method", "value", "why"]).assign(low=float("nan"), high=float("nan"))
    return Finding(
        table[["method", "value", "low", "high", "why"]],
        f"A customer brings {words.money(a_year)} of margin a year. {_lifespan(retention, lifespan, words)} A new customer is worth "
        f"{words.money(new)}, one who has just paid {words.money(known)} more. "
        + _raised(a_year, retention, raised, discount_rate, words),
    )


def _lifespan(retention: float, lifespan: float, words: Words) -> str:
    """Whether retention and lifespan say the same."""
    implied = 1 / (1 - retention)
    said = f"A retention of {words.share(retention)} means {words.count(implied, digits=1)} years on average"
    if abs(implied - lifespan) <= 0.05 * implied:
        return f"{said}, as on the slider."
    return f"{said} and not with the {words.count(lifespan, digits=1)} on the slider: the two should say the same."


def _raised(a_year: float, retention: float, raised: float, discount_rate: float, words: Words) -> str:
    text = ""
    if raised > retention:
        once, each = retention_spend(a_year, retention, raised, discount_rate)
        text = (
            f"Raising retention from {words.share(retention)} to {words.share(raised)} would add {words.money(once)}, so it may cost up "
            f"to {words.money(each)} a year for each customer. "
        )
    grows = elasticity(retention, discount_rate, "start_certain")
    return f"{text}One per cent more retention adds {words.share(grows / 100, digits=1)}."


def explore_sample_size(*, share: float = 0.7, customers: int = 1000, words: Words | None = None) -> Panel:
    """Show how many answers it takes to tell a score, and to see a change in it.

    Parameters
    ----------
    share : float
        The share of satisfied customers now.
    customers : int
        How many there are to ask.
    words : Words, optional
        The client's currency and language.

    Returns
    -------
    Panel
        ``panel.state`` holds the settings, and to set one is to move its slider: ``share`` and ``change`` (fractions),
        ``customers``, ``answering`` (share). ``panel.state.found.table`` has ``needed`` (answers in each wave for the
        change), ``for_the_score`` (answers for five points either way), ``brings`` (answers expected) and
        ``detectable`` (change that these show, as a fraction).

    Examples
    --------
    >>> panel = explore_sample_size(share=0.8)
    >>> int(panel.state.found.table["needed"][0])
    906
    """
    words = words or Words("XXX")
    controls = {
        "share": slider("satisfied now", share, 0.02, 0.95, 0.01, share=True),
        "change": slider("change to be seen", 0.05, 0.01, 0.3, 0.01, share=True),
        "customers": slider("customers to ask", float(customers), 20.0, max(20_000.0, 2.0 * customers), 20.0),
        "answering": slider("share who answer", 0.2, 0.02, 1.0, 0.01, share=True),
    }
    state = State(lambda **s: answer_sample_size(**s, words=words), **{k: c.value for k, c in controls.items()})
    return Panel("How many answers does it take?", state, controls)


def answer_sample_size(share: float, change: float, customers: float, answering: float, *, words: Words) -> Finding:
    """Say how many answers a wave needs, and what the customers there are can show.

    Parameters
    ----------
    share : float
        Satisfied now.
    change : float
        To be seen, as a fraction: 0.05 is five percentage points.
    customers : float
        How many there are to ask.
    answering : float
        The share of them who answer.
    words : Words
        The client's currency and language.

    Returns
    -------
    Finding
        ``needed, for_the_score, brings, detectable``.

    Examples
    --------
    >>> print(answer_sample_size(0.7, 0.05, 1000, 0.2, words=Words("EUR")))
    To see a change of 5 percentage points, each wave needs 1,251 answers; to tell the score to within 5 points, 245. Asking all 1,000 \
customers brings about 200, which show a change of 12.8 points: so the change could not be seen.
    """
    there = share + change < 0.99
    need = sample_size(change if there else -change, share=share)[0]
    margin = margin_of_error_size(0.05, variance=share * (1 - share), customers=round(customers))
    brings = customers * answering
    least = detectable_change(brings, variance=share * (1 - share))
    verdict = "so the change could be seen" if brings >= need else "so the change could not be seen"
    text = (
        f"To see a change of {100 * change:.0f} percentage points, each wave needs {words.count(need)} answers; to tell the score to within 5 "
        f"points, {words.count(margin)}. Asking all {words.count(customers)} customers brings about {words.count(brings)}, which show a change "
        f"of {100 * least:.1f} points: {verdict}."
    )
    return Finding(
        pd.DataFrame({"needed": [need], "for_the_score": [margin], "brings": [brings], "detectable": [least]}), text
    )


def explore_design(*, customers: int = 2000, words: Words | None = None) -> Panel:
    """Ask how something was, or will be, done, and say by which design its effect can be known.

    Parameters
    ----------
    customers : int
        How many there are.
    words : Words, optional
        The client's currency and language.

    Returns
    -------
    Panel
        ``panel.state`` holds the settings, and to set one is to move its slider: ``assigned`` (``chance``, ``chosen``
        or ``everybody``), ``before, known, series`` (bool), ``customers``, ``holdout`` and ``stays`` (shares).
        ``panel.state.found.table`` has ``design, how, may_say, cannot``, the strongest first.

    Examples
    --------
    >>> panel = explore_design()
    >>> panel.state.found.table["design"][0]
    'A+'
    >>> panel.state.assigned = "everybody"
    >>> panel.state.found.table["design"][0]
    'E'
    """
    words = words or Words("XXX")
    controls = {
        "assigned": choice(
            "who gets it",
            [("randomised", "chance"), ("we choose", "chosen"), ("everybody, at once", "everybody")],
            "chance",
        ),
        "before": tick("the same customers are known from before it", value=True),
        "known": tick("what else tells them apart is known (tenure, purchases, channel)", value=True),
        "series": tick("there are eight periods or more before it", value=False),
        "customers": slider("customers", float(customers), 50.0, max(20_000.0, 2.0 * customers), 50.0),
        "holdout": slider("share left alone", 0.2, 0.05, 0.5, 0.05, share=True),
        "stays": slider("share who stay now", 0.7, 0.05, 0.95, 0.01, share=True),
    }
    state = State(lambda **s: answer_design(**s, words=words), **{k: c.value for k, c in controls.items()})
    return Panel("How could its effect be known?", state, controls, table=rows)


def answer_design(
    assigned: str,
    before: bool,
    known: bool,
    series: bool,
    customers: float,
    holdout: float,
    stays: float,
    *,
    words: Words,
) -> Finding:
    """Say by which design an effect can be known, what may then be said, and how large it must be to be seen.

    Parameters
    ----------
    assigned : "chance", "chosen" or "everybody"
        Who gets it.
    before, known, series : bool
        Whether the same customers are known from before; whether what tells the groups apart is known; whether there are eight
        periods or more before it.
    customers : float
        How many there are.
    holdout : float
        The share left alone.
    stays : float
        The share who stay now.
    words : Words
        The client's currency and language.

    Returns
    -------
    Finding
        ``design, how, may_say, cannot``, the strongest first.

    Examples
    --------
    >>> print(answer_design("chance", True, True, False, 2000, 0.2, 0.7, words=Words("EUR")))
    Design A+: randomised, and adjusted for what was known before. You may then say "caused by it". With 1,600 customers \
who get it and 400 who do not, a change of 7.2 percentage points or more would be seen four times in five.
    """
    table = choose_design(assigned, before=before, known=known, series=series)
    best = table.iloc[0]
    may = f'You may then say "{best.may_say}".' if best.may_say else "Nothing may then be said about its cause."
    text = f"Design {best.design}: {best.how}. {may} "
    spread = stays * (1 - stays)
    if assigned == "everybody":
        least = detectable_change(customers, variance=spread)
        text += f"With {words.count(customers)} customers each time, "
    else:
        least = detectable_change(customers * (1 - holdout), customers * holdout, variance=spread)
        text += f"With {words.count(customers * (1 - holdout))} customers who get it and {words.count(customers * holdout)} who do not, "
    text += f"a change of {100 * least:.1f} percentage points or more would be seen four times in five."
    if assigned != "chance":
        text += " Leave a random part alone, and the answer becomes the strongest there is."
    return Finding(table, text)
