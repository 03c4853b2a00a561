"""One stochastic process a file: pure functions in the paper's letters, a thin class below."""

from .bdw import BetaDiscreteWeibull
from .bgnbd import BGNBD
from .gamma_gamma import GammaGamma
from .mbgnbd import MBGNBD
from .paretonbd import ParetoNBD
from .sbg import ShiftedBetaGeometric

__all__ = ["BGNBD", "MBGNBD", "BetaDiscreteWeibull", "GammaGamma", "ParetoNBD", "ShiftedBetaGeometric"]
