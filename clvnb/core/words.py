"""How numbers are said: money in the client's currency, shares, counts and dates.

In: full-precision numbers. Out: short texts. Everything that rounds lives here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from typing import Any

from .results import Estimate

__all__ = ["Words", "capital"]


def capital(text: str) -> str:
    """Begin a sentence: the first letter large, the others as they are.

    Examples
    --------
    >>> capital("value of a CSAT")
    'Value of a CSAT'
    """
    return text[:1].upper() + text[1:]


@dataclass(frozen=True)
class Words:
    """Says numbers in one client's currency and locale.

    Parameters
    ----------
    currency : str
        ISO 4217 code, for example ``"EUR"``.
    locale : str
        A CLDR locale, for example ``"en"`` or ``"ro_RO"``.

    Notes
    -----
    ``Words("XXX")``, which stands in where a function gets none, gives amounts the sign ¤ of no currency (ISO 4217
    XXX). Formats are those of the Unicode CLDR, through Babel, whose ``UnknownLocaleError`` comes at the first number
    of a locale that is not known.

    Examples
    --------
    >>> words = Words("EUR", "en")
    >>> words.money(1234.6), words.money(12.345), words.money(-3)
    ('€1,235', '€12.35', '-€3.00')
    >>> words.share(0.1234), words.count(12345)
    ('12%', '12,345')
    """

    currency: str
    locale: str = "en"

    def money(self, value: float, *, digits: int | None = None) -> str:
        """Say an amount: cents below 100, whole units above, millions from ten million on.

        Parameters
        ----------
        value : float
            In the client's currency.
        digits : int, optional
            Decimals; with them millions are said in full too.

        Returns
        -------
        str
            ``unknown`` where it is missing.

        Examples
        --------
        >>> Words("EUR").money(12_345_678), Words("EUR").money(999_949_000), Words("EUR").money(-999_960_000)
        ('€12.3M', '€999.9M', '-€1B')
        """
        from babel import Locale
        from babel.numbers import format_compact_currency, format_currency, get_currency_precision

        if value is None or not math.isfinite(value):
            return "unknown"
        if abs(value) >= 1e15:  # no business's money; such a number comes from a damaged file
            return f"{value:.3g} {self.currency}"
        if abs(value) >= 1e7 and digits is None:
            above = 10.0 ** math.ceil(math.log10(abs(value)))
            if abs(value) >= 0.99995 * above:  # Babel takes the unit before it rounds, and says 1000M for 1B
                value = math.copysign(above, value)
            return str(format_compact_currency(value, self.currency, locale=self.locale, fraction_digits=1))
        if digits is None:
            digits = 0 if abs(value) >= 100 else get_currency_precision(self.currency)
        pattern = Locale.parse(self.locale).currency_formats["standard"].pattern
        pattern = pattern.replace(".00", "." + "0" * digits if digits else "")
        rounded = round(value, digits) + 0.0
        return str(format_currency(rounded, self.currency, format=pattern, locale=self.locale, currency_digits=False))

    def share(self, value: float, *, digits: int = 0) -> str:
        """Say a share between 0 and 1 as a percentage.

        Parameters
        ----------
        value : float
            Between 0 and 1.
        digits : int
            Decimals.

        Returns
        -------
        str
            ``unknown`` where it is missing.
        """
        from babel.numbers import format_percent

        if value is None or not math.isfinite(value):
            return "unknown"
        pattern = "#,##0" + ("." + "0" * digits if digits else "") + "%"
        return str(format_percent(value, format=pattern, locale=self.locale))

    def count(self, value: float, *, digits: int = 0) -> str:
        """Say a count or a plain number.

        Parameters
        ----------
        value : float
            Any number.
        digits : int
            Decimals.

        Returns
        -------
        str
            ``unknown`` where it is missing.
        """
        from babel.numbers import format_decimal

        if value is None or not math.isfinite(value):
            return "unknown"
        if abs(value) >= 1e15:
            return f"{value:.3g}"
        pattern = "#,##0" + ("." + "0" * digits if digits else "")
        return str(format_decimal(round(float(value), digits) + 0.0, format=pattern, locale=self.locale))

    def counted(self, value: float, noun: str) -> str:
        """Say a count with its noun.

        Parameters
        ----------
        value : float
            How many.
        noun : str
            English, singular.

        Returns
        -------
        str
            ``unknown`` stands for a missing number.

        Examples
        --------
        >>> Words("EUR").counted(1, "customer"), Words("EUR").counted(2000, "day")
        ('1 customer', '2,000 days')
        """
        return f"{self.count(value)} {noun}{'' if value == 1 else 's'}"

    def day(self, value: Any) -> str:
        """Say a date.

        Parameters
        ----------
        value : date, time stamp or str
            Text is ISO 8601.

        Returns
        -------
        str
            In full, such as 30 June 1998.

        Raises
        ------
        ValueError
            When it is no day.

        Examples
        --------
        >>> Words("EUR").day("1998-06-30")
        '30 June 1998'
        """
        from babel.dates import format_date

        when = date.fromisoformat(str(value)[:10])
        pattern = "d MMMM y" if self.locale.startswith("en") else "long"
        return str(format_date(when, format=pattern, locale=self.locale))

    def range(self, estimate: Estimate) -> str:
        """Say the interval of an amount.

        Parameters
        ----------
        estimate : Estimate
            Of money.

        Returns
        -------
        str
            Its two ends.

        Examples
        --------
        >>> Words("USD").range(Estimate(10, 8, 12.5, 0.9, 40, "test"))
        '$8.00 to $12.50'
        """
        return f"{self.money(estimate.low)} to {self.money(estimate.high)}"
