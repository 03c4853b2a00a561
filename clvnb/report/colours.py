"""A page's colours, made from one brand colour so that every text can be read, light and dark.

In: a hex colour. Out: hex colours by name.
"""

from __future__ import annotations

__all__ = ["contrast", "palette"]

_AGAINST = 4.5  # WCAG 2.2, 1.4.3: text against its ground
_LIGHT = {"paper": "#f5f7f6", "card": "#ffffff", "ink": "#16201b", "soft": "#46524c", "faint": "#5f6b65", "line": "#dce3df",
          "good": "#1b6e3c", "care": "#8a4b00", "care_wash": "#fcf2e3", "red": "#a3201d"}  # fmt: skip
_DARK = {"paper": "#0f1412", "card": "#171d1a", "ink": "#e9efeb", "soft": "#b7c2bc", "faint": "#97a49d", "line": "#2d3731",
         "good": "#7fd6a0", "care": "#f0b45f", "care_wash": "#2a2012", "red": "#ff9d97"}  # fmt: skip
_SHADES = {
    "#000000": (0.07, 0.16, 0.28, 0.44),
    "#ffffff": (0.06, 0.12, 0.2, 0.3),
}  # of the brand in the cells of a heat map


def palette(brand: str) -> dict[str, dict[str, str]]:
    """Return the colours of a light and of a dark page.

    Parameters
    ----------
    brand : str
        ``#rrggbb``. It is darkened, or lightened on a dark page, until it stands 4.5 to 1 against the ground.

    Returns
    -------
    dict of "light", "dark" and "by_name" to dict
        ``paper, card, ink, soft, faint, line, good, care, care_wash, red``, ``brand`` and ``on_brand``, ``wash`` and
        ``tint`` (pale grounds), ``shade_0`` to ``shade_4`` and the ink that reads ``on_4``; by name, as a style sheet
        refers to them.

    Examples
    --------
    >>> palette("#ffd000")["light"]["brand"], contrast(palette("#ffd000")["light"]["brand"], "#ffffff") >= 4.5
    ('#866d00', True)
    """
    light = _mode(brand, _LIGHT, "#000000")
    names = {name: f"var(--{name.replace('_', '-')})" for name in light}
    return {"light": light, "dark": _mode(brand, _DARK, "#ffffff"), "by_name": names}


def _mode(brand: str, base: dict[str, str], towards: str) -> dict[str, str]:
    steps = (_mixed(brand, towards, k / 40) for k in range(41))
    own = next(
        colour for colour in steps if min(contrast(colour, base["card"]), contrast(colour, base["paper"])) >= _AGAINST
    )
    shades = {f"shade_{k}": _mixed(base["card"], own, share) for k, share in enumerate(_SHADES[towards])}
    return {**base, **shades, "brand": own, "on_brand": base["card"], "shade_4": own, "on_4": base["card"],
            "wash": shades["shade_0"], "tint": _mixed(base["card"], own, 0.26)}  # fmt: skip


def _mixed(one: str, other: str, share: float) -> str:
    parts = (round(a + (b - a) * share) for a, b in zip(_parts(one), _parts(other), strict=True))
    return "#" + "".join(f"{v:02x}" for v in parts)


def _parts(colour: str) -> list[int]:
    return [int(colour[k : k + 2], 16) for k in (1, 3, 5)]


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, from 1 to 21, as WCAG 2 defines it.

    Examples
    --------
    >>> contrast("#000000", "#ffffff")
    21.0
    """
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return round((light + 0.05) / (dark + 0.05), 2)


def _luminance(colour: str) -> float:
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in (p / 255 for p in _parts(colour))]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
