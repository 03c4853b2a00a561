"""One stochastic process a file: pure functions in the paper's letters, a thin class below."""

from .bgnbd import BGNBD
from .gamma_gamma import GammaGamma
from .mbgnbd import MBGNBD
from .sbg import ShiftedBetaGeometric

__all__ = ["BGNBD", "MBGNBD", "GammaGamma", "ShiftedBetaGeometric"]
