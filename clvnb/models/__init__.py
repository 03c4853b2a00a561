"""One model a file: the paper's functions on top, a thin class that fits and predicts below."""

from .bdw import BetaDiscreteWeibull
from .bgbb import BGBB
from .bgnbd import BGNBD
from .cnbdk import BGCNBDk, MBGCNBDk
from .gamma_gamma import GammaGamma
from .ggompertznbd import GGompertzNBD
from .mbgnbd import MBGNBD
from .paretonbd import ParetoNBD
from .sbg import ShiftedBetaGeometric

__all__ = [
    "BGBB",
    "BGNBD",
    "BGCNBDk",
    "BetaDiscreteWeibull",
    "GGompertzNBD",
    "GammaGamma",
    "MBGCNBDk",
    "MBGNBD",
    "ParetoNBD",
    "ShiftedBetaGeometric",
]
