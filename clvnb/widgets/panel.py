"""What every panel is made of: a state that holds the settings and their answer, and a view that shows it.

In: settings, the function that answers them, the pictures of its answer. Out: an ipywidget for JupyterLab, Notebook, VS Code, voila.
"""

from __future__ import annotations

import atexit
import base64
import gc
import html
import io
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets
from traitlets import Any as AnyTrait
from traitlets import Bool, HasTraits, TraitError, Unicode

from ..core.errors import ClvnbError
from ..core.results import Finding, escaped, table_html
from ..core.tables import closest

__all__ = ["Panel", "State", "choice", "note", "number", "slider", "text", "tick"]

_VIEW = "application/vnd.jupyter.widget-view+json"
_WIDE = {"width": "36em", "max_width": "98%"}
_LABEL = {"description_width": "13em"}
_DPI = 96
atexit.register(gc.unfreeze)  # what was frozen is taken down in order when Python ends


class State(HasTraits):
    """The settings of a panel and the answer that follows from them; it knows nothing of how it is shown.

    Each setting is a trait: to set it is to ask again. ``found`` is the answer, ``error`` says why there is none,
    ``fault`` holds the traceback of what should not have happened, and ``computing`` is true until the answer is there
    and drawn.

    Parameters
    ----------
    answer : function
        Takes the settings by name and returns a ``Finding``.
    **settings
        Their first values.

    Examples
    --------
    >>> import pandas as pd
    >>> state = State(lambda price: Finding(pd.DataFrame(), f"It costs {price}."), price=3)
    >>> state.price = 4
    >>> state.found.text
    'It costs 4.'
    """

    found = AnyTrait(None, allow_none=True)
    error = Unicode("")
    fault = Unicode("")
    computing = Bool(False)

    def __init__(self, answer: Callable[..., Finding], **settings: Any) -> None:
        super().__init__()
        self.names = tuple(settings)
        self._answer = answer
        self.add_traits(**{name: AnyTrait(allow_none=True) for name in settings})
        for name, value in settings.items():
            setattr(self, name, value)
        self.observe(self.ask, names=list(settings))
        self.ask()

    def __setattr__(self, name: str, value: Any) -> None:
        """Set a setting; a name that is none is refused."""
        if not name.startswith("_") and name != "names" and not self.has_trait(name):
            raise AttributeError(
                f"there is no setting {name!r}{closest(name, self.names)}; there are: {', '.join(self.names)}"
            )
        super().__setattr__(name, value)

    @property
    def settings(self) -> dict[str, Any]:
        """The settings by name."""
        return {name: getattr(self, name) for name in self.names}

    def ask(self, _: Any = None) -> None:
        """Answer the settings as they are now."""
        self.attempt(lambda: setattr(self, "found", self._answer(**self.settings)))

    def attempt(self, do: Callable[[], Any]) -> None:
        """Do something; what goes wrong is said in ``error``, and never lost in a log."""
        self.computing = True
        try:
            self.error = self.fault = ""
            do()
        except (ClvnbError, ValueError) as error:
            self.error = str(error)
        except Exception as error:
            self.fault = traceback.format_exc()
            self.error = f"This should not have happened ({type(error).__name__}: {error})."
        finally:
            self.computing = False


class Panel(ipywidgets.VBox):
    """Controls, the answer below them, and its pictures.

    Parameters
    ----------
    title : str
        Stands above the controls.
    state : State
        The settings and their answer.
    controls : mapping of name to widget
        A control with the name of a setting is bound to it.
    draw : sequence of functions
        Each takes the answer and returns axes, or axes and a sentence.
    table : function, optional
        Takes the answer and returns HTML.
    more : sequence of widgets
        Shown below.

    Attributes
    ----------
    state : State
        The settings and their answer.
    controls : dict of name to widget
        As given.
    said, busy : ipywidgets.HTML
        The answer in words, or what went wrong; whether it is still being made.
    pictures : tuple of ipywidgets.HTML
        One for each function of ``draw``, as ``<img>`` with its alt text.
    """

    def __init__(
        self,
        title: str,
        state: State,
        controls: Mapping[str, Any],
        *,
        draw: Sequence[Callable[[Any], Any]] = (),
        table: Callable[[Any], str] | None = None,
        more: Sequence[Any] = (),
    ) -> None:
        self.title, self.state, self.controls = title, state, dict(controls)
        self._draw, self._table = tuple(draw), table
        self.said, self.busy, self.shown = (ipywidgets.HTML() for _ in range(3))
        self.pictures = tuple(ipywidgets.HTML() for _ in self._draw)
        parts = [note(f"<strong>{escaped(title)}</strong>"), *controls.values(), self.busy, self.said]
        super().__init__([*parts, *self.pictures, self.shown, *more])
        for name, control in controls.items():
            if name in state.names:
                _bind(state, name, control)
        state.observe(self._tell, names=["error"])
        state.observe(self._wait, names=["computing"])
        state.observe(self._show, names=["found"])
        self._tell()
        self._show()
        gc.collect()
        gc.freeze()  # what is loaded by now stays: the collector would stop a slider for 0.3 s to go through it

    def _wait(self, _: Any = None) -> None:
        self.busy.value = "<em>computing…</em>" if self.state.computing else ""

    def _tell(self, _: Any = None) -> None:
        """Say what went wrong, or the answer again when all is well."""
        state = self.state
        if not state.error:
            self.said.value = _status(state.found.text) if state.found is not None else ""
            return
        detail = (
            f"<details><summary>Details</summary><pre>{escaped(state.fault)}</pre></details>" if state.fault else ""
        )
        self.said.value = f'<p role="alert"><strong>{escaped(state.error)}</strong></p>{detail}'

    def _show(self, _: Any = None) -> None:
        found = self.state.found
        if found is None:
            return
        self.said.value = _status(found.text)
        for place, draw in zip(self.pictures, self._draw, strict=True):
            drawn = draw(found)
            ax, sentence = drawn if isinstance(drawn, tuple) else (drawn, "")
            place.value = _image(ax) + (f"<p>{escaped(sentence)}</p>" if sentence else "")
        if self._table is not None:
            self.shown.value = self._table(found)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """Say the answer where no widget can be shown, so that a stored notebook is read and compared by it."""
        bundle = super()._repr_mimebundle_(**kwargs)
        if not isinstance(bundle, dict) or _VIEW not in bundle:
            return bundle
        told = self.state.error or (self.state.found.text if self.state.found is not None else "")
        return bundle | _stored(self.title, told)


def _stored(title: str, told: str) -> dict[str, str]:
    """What stands where a panel was."""
    markup = f"<p><em>Panel: {escaped(title)} Run this cell to use it.</em> {escaped(told)}</p>"
    return {"text/plain": f"[panel: {title}] {told}".strip(), "text/html": markup}


def _bind(state: State, name: str, control: Any) -> None:
    """Keep a setting and its control the same; what the control does not offer is refused, and the setting stays as it was."""

    def show(change: Any) -> None:
        try:
            control.value = change.new
        except TraitError as error:
            setattr(state, name, change.old)
            known = getattr(control, "_options_full", ())
            offered = f"; it is one of {', '.join(repr(value) for _, value in known[:20])}" if known else ""
            raise ValueError(f"{name} cannot be {change.new!r}{offered}") from error

    state.observe(show, names=[name])
    control.observe(lambda change: setattr(state, name, change.new), names="value")


def note(markup: str) -> Any:
    """A line of HTML."""
    return ipywidgets.HTML(markup)


def slider(label: str, value: float, low: float, high: float, step: float, *, share: bool = False) -> Any:
    """A labelled slider; asked when it is let go, and at each arrow key."""
    shown = ".0%" if share else ",.0f" if step >= 1 else ".3f" if step < 0.01 else ".2f"
    return ipywidgets.FloatSlider(
        value=min(max(value, low), high), min=low, max=high, step=step, description=label, readout_format=shown,
        continuous_update=False, style=_LABEL, layout=_WIDE,
    )  # fmt: skip


def choice(label: str, options: Sequence[Any], value: Any) -> Any:
    """One of several, such as ``[("by month", "month")]``."""
    return ipywidgets.Dropdown(options=list(options), value=value, description=label, style=_LABEL, layout=_WIDE)


def tick(label: str, *, value: bool = False) -> Any:
    """Yes or no."""
    return ipywidgets.Checkbox(value=value, description=label, indent=False, layout={"width": "98%"})


def text(label: str, value: str = "", placeholder: str = "") -> Any:
    """A line to write; asked at Enter."""
    return ipywidgets.Text(
        value=value, placeholder=placeholder, description=label, continuous_update=False, style=_LABEL, layout=_WIDE
    )


def number(label: str, value: float, low: float, high: float) -> Any:
    """A number to write."""
    return ipywidgets.BoundedFloatText(value=value, min=low, max=high, description=label, style=_LABEL, layout=_WIDE)


def _status(said: str) -> str:
    return f'<p role="status">{escaped(said)}</p>'


def _image(ax: Any) -> str:
    """A picture as an ``<img>`` that states what it shows; nothing for one that is empty."""
    import matplotlib.pyplot as plt
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    figure = ax.figure
    alt, empty = getattr(figure, "clvnb_alt", ""), getattr(figure, "clvnb_empty", False)
    try:
        if empty:
            return ""
        figure.set_dpi(_DPI)
        canvas, out = FigureCanvasAgg(figure), io.BytesIO()
        canvas.draw()
        size = canvas.get_width_height()
        Image.frombuffer("RGBA", size, canvas.buffer_rgba()).convert("RGB").save(out, format="PNG", compress_level=1)
    finally:
        plt.close(figure)
    data = base64.b64encode(out.getvalue()).decode("ascii")
    return (
        f'<img alt="{html.escape(alt, quote=True)}" width="{size[0]}" height="{size[1]}" style="max-width:100%;height:auto" '
        f'src="data:image/png;base64,{data}">'
    )


def rows(found: Finding) -> str:
    """The answer's table."""
    return table_html(found.table)
