"""What nbval leaves out: figures are compared too, and a cell that was never run is an error."""

from __future__ import annotations

import base64
import io
from typing import Any

import pytest

WORST_RMS = 5.0  # of 255; fonts are drawn a little differently from machine to machine


def _pictures(outputs: list[Any]) -> list[bytes]:
    return [base64.b64decode(o["data"]["image/png"]) for o in outputs if "image/png" in o.get("data", {})]


def figures_differ(stored: list[bytes], fresh: list[bytes]) -> str:
    """Say how two lists of PNG files differ; an empty text when they do not."""
    import numpy as np
    from PIL import Image

    if len(stored) != len(fresh):
        return f"{len(stored)} stored figures, {len(fresh)} drawn"
    for k, (old, new) in enumerate(zip(stored, fresh, strict=True), start=1):
        if old == new:
            continue
        one, two = (np.asarray(Image.open(io.BytesIO(b)).convert("RGB"), dtype=float) for b in (old, new))
        if one.shape != two.shape:
            return f"figure {k} changed its size from {one.shape[:2]} to {two.shape[:2]}"
        rms = float(np.sqrt(((one - two) ** 2).mean()))
        if rms > WORST_RMS:
            return f"figure {k} changed: {rms:.1f} of 255 apart on average"
    return ""


def not_in_order(cells: list[Any]) -> str:
    """Say which code cell was not run, or not in its place; an empty text when all were, from the first to the last."""
    counts = [c.get("execution_count") for c in cells if c["cell_type"] == "code"]
    for k, count in enumerate(counts, start=1):
        if count != k:
            was = "was never run" if count is None else f"was run as number {count}"
            return f"code cell {k} {was}: restart the kernel, run all cells, and store the notebook (`make notebooks`)"
    return ""


def pytest_configure(config: pytest.Config) -> None:
    """Teach nbval's cells to compare figures, where nbval is at work."""
    if not config.getoption("--nbval", default=False):
        return
    from nbval.plugin import IPyNbCell, IPyNbFile

    if getattr(IPyNbCell, "compares_figures", False):
        return
    plain = IPyNbCell.compare_outputs

    def compare_outputs(self: Any, test: Any, ref: Any, skip_compare: Any = None) -> bool:
        said = figures_differ(_pictures(ref), _pictures(test))
        if said:
            self.comparison_traceback = [said]
            return False
        return bool(plain(self, test, ref, skip_compare))

    gather = IPyNbFile.collect

    def collect(self: Any) -> Any:
        import nbformat

        said = not_in_order(nbformat.read(str(self.path), as_version=4).cells)
        if said:  # nbval compares nothing for such a cell
            raise self.CollectError(f"{self.path.name}: {said}")
        return gather(self)

    IPyNbCell.compare_outputs = compare_outputs
    IPyNbFile.collect = collect
    IPyNbCell.compares_figures = True
