"""How wrong a forecast of the total may be: the error that remains beyond chance and the doubt about parameters.

In: how far forecasts disagree, overdispersion, horizon. Out: the scale of the logarithm of what comes over what is expected.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.maths import tail
from ..core.results import Estimate

__all__ = ["NOT_RELIABLE", "Spread", "mean_error", "model_error", "money_error", "width"]

# From forecasts of 22 public and simulated logs whose future is known, leaving one log out each time: the scale at half a year, a
# disagreement of .15 and an overdispersion of one for each purchase, and the exponents of each. The constants below them were
# set by hand on 25 logs, of which benchmarks/public_logs.py reads most and some are the same: expect a little less on others.
_SCALE, _BY_HORIZON, _BY_DISAGREEMENT, _BY_SPREAD = 1.67, 0.32, 0.73, 0.40
_MONEY = 1.9
# Errors of this scale have the tails of Student's t with three degrees of freedom. Chosen on 199 forecasts of 23 logs: .70 held
# 92 % of them; the factor that holds 90 % of the other logs' held 89 % of those of the log left out.
_FREEDOM, _TAILS = 3, 0.66
_MEAN = 0.82
# Where everything disagrees, errors grow by less than in proportion.
_CALM, _WILD = 0.15, 0.7
# Nothing beyond a year could be tested on those logs: further ahead errors are taken to grow faster.
_TESTED, _BEYOND = 364, 0.7
# What a season may do that the log is too short to show.
_UNSEEN_SEASON = 0.1
# A scale beyond it is a range of more than six to one: nothing worth giving.
NOT_RELIABLE = 0.5
# No forecast of a total is known to be better than this.
_LEAST = 0.015


def width(level: float) -> float:
    """Return how many scales a range reaches to either side.

    Examples
    --------
    >>> round(width(0.9), 2)
    1.55
    """
    from scipy.special import stdtrit

    tail(level)  # refuses what is no level
    return float(_TAILS * stdtrit(_FREEDOM, (1 + level) / 2))


def mean_error(scale: float) -> float:
    """Return the mean distance of what comes from what is expected, as a share, at a scale of the error."""
    return float(np.expm1(_MEAN * scale))


def model_error(horizon: float, disagreement: float, dispersion: float, *, season: bool = True) -> float:
    """Return the scale of the error of a total that chance does not explain.

    Parameters
    ----------
    horizon : float
        Days.
    disagreement : float
        Standard deviation of the logarithms of forecasts made in different ways.
    dispersion : float
        Overdispersion of weekly repeat purchases over the expected purchases of the horizon.
    season : bool
        Whether the log is long enough to show the season.
    """
    apart = ((disagreement + 0.02) / 0.15) ** _BY_DISAGREEMENT
    grown = (min(horizon, _TESTED) / 182) ** _BY_HORIZON * max(horizon / _TESTED, 1.0) ** _BEYOND
    known = max(_SCALE * apart * dispersion**_BY_SPREAD, _LEAST) * grown
    scale = float(known if season else np.hypot(known, _UNSEEN_SEASON))
    return scale if scale <= _CALM else _CALM * (scale / _CALM) ** _WILD


def money_error(variation: float, purchases: float, drift: float = 0.0) -> float:
    """Return the scale of the error of the mean money of a purchase.

    Parameters
    ----------
    variation : float
        Standard deviation over mean of the money of repeat purchases so far.
    purchases : float
        Expected.
    drift : float
        What prices would do by the end of the horizon if they went on as before, in logarithms: half of it on average.
    """
    return float(np.hypot(_MONEY * variation / np.sqrt(max(purchases, 1.0)), drift / 2))


@dataclass(frozen=True)
class Spread:
    """The scales of the errors of a total over one horizon.

    Attributes
    ----------
    horizon : float
        Days.
    model, money : float
        Of the purchases' total, and of their mean money.
    chance : float
        Of the total again, what chance and the doubt about parameters do.
    """

    horizon: float
    model: float
    money: float = 0.0
    chance: float = 0.0

    def scale(self, *, money: bool = True) -> float:
        """Return all together, or that of purchases alone."""
        return float(np.hypot(np.hypot(self.model, self.chance), self.money if money else 0.0))

    def widen(self, estimate: Estimate, *, money: bool = True) -> Estimate:
        """Return an estimate with the model's own error in its range, which held chance and parameters already.

        The two are added in quadrature, in logarithms, so that the range keeps its sign; a range that crosses 0 is
        widened to both sides alike.
        """
        value, reach = estimate.value, width(estimate.level) * np.hypot(self.model, self.money if money else 0.0)
        if value * estimate.low > 0 and value * estimate.high > 0:
            ends = np.sort(np.abs([estimate.low, estimate.high]))
            down, up = np.log(abs(value) / ends[0]), np.log(ends[1] / abs(value))
            sides = abs(value) * np.exp([-np.hypot(reach, down), np.hypot(reach, up)])
            low, high = np.sort(np.sign(value) * sides)
        else:
            more = abs(value) * np.expm1(reach)
            low = value - np.hypot(more, value - estimate.low)
            high = value + np.hypot(more, estimate.high - value)
        method = f"{estimate.method}, and the error of forecasts on earlier days"
        return Estimate(value, float(low), float(high), estimate.level, estimate.n, method)
