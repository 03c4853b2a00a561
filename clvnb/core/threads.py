"""One thread where more would wait for each other.

In: a function. Out: the same function, which asks the linear algebra below it for one thread while it runs.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import Any, ParamSpec, TypeVar

__all__ = ["one_thread"]

P = ParamSpec("P")
R = TypeVar("R")


def one_thread(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function's products of matrices run on one thread each.

    They are many and small: threads of OpenBLAS that spin while they wait for the next one take two to five times the
    CPU for the same result, the more so where other work runs beside. What was set before is set again afterwards.

    Parameters
    ----------
    function : callable
        Whatever fits or scores.

    Returns
    -------
    callable
        With the same signature.

    Examples
    --------
    >>> import threadpoolctl
    >>> @one_thread
    ... def threads():
    ...     return {p["num_threads"] for p in threadpoolctl.threadpool_info() if p["user_api"] == "blas"}
    >>> threads()
    {1}
    """

    @wraps(function)
    def limited(*args: P.args, **kwargs: P.kwargs) -> R:
        with _controller().limit(limits=1, user_api="blas"):
            return function(*args, **kwargs)

    return limited


@cache
def _controller() -> Any:
    import scipy.linalg  # noqa: F401 - it brings a library of its own, which is limited only once it is there
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
