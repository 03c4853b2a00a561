"""The baseline that later changes are judged against: frozen, sealed, kept as a file, and found again.

In: the answers of one series and wave, weights, and the CLV card of the same day. Out: ``Baseline``, and its JSON file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .. import __version__
from ..core.errors import TableError
from ..core.files import replace_file
from ..core.maths import LEVEL
from ..core.results import Estimate, Told
from ..core.tables import as_day
from ..data.surveys import series_of
from ..experiments.planning import detectable_change, margin_of_error_size
from .scores import Metric, effective, metric_of, score

__all__ = [
    "Baseline",
    "MIN_ANSWERS",
    "LOOKS",
    "baseline",
    "find_baseline",
    "fingerprint",
    "is_same_table",
    "planning_size",
]

FORMAT = 3
OLDEST = 2  # the format of 0.1.0, which is still read
MIN_ANSWERS = 10  # answers below which there is no baseline of satisfaction
LOOKS = (182, 365)  # days after which a verdict may be asked for; the last one closes the cycle


@dataclass(frozen=True, repr=False)
class Baseline(Told):
    """What was true before: satisfaction and value, and how each was measured.

    Attributes
    ----------
    client : str
        Its name.
    as_of : str
        The last day used, ISO 8601.
    metric, question : str
        ``csat`` and the like; the rule that makes one number of the answers. Empty where nobody was asked, and with it
        everything up to ``answers``.
    scale : (float, float)
        The ends of the question's scale.
    wave : str
        The survey round.
    asked : (str, str)
        First and last day of the wave, ISO 8601.
    score : dict
        The estimate that counts, as ``Estimate.to_dict()``: a share between 0 and 1, or points of NPS; weighted to the
        customer base where that was possible.
    raw_score : dict
        The same without weights.
    answers : int
        The number used.
    customers : int
        How many customers the base had.
    weights : dict
        Cell to customers, the fixed population that later waves are weighed to as well; empty where nothing was
        weighed.
    effective : float
        How many unweighted answers would be as precise.
    detectable : float
        The smallest change that a later wave of the same size would probably show, by ``detectable_change`` with 95 %
        and power 80 %, in the score's unit.
    cut_points : dict
        RFM's cut-points.
    card : dict
        How customers were valued.
    value : dict
        ``residual_value``, ``new_customer_value`` (estimates or None), ``historic_value``, ``customers``, and
        ``forecasts``: the customers' expected contribution within so many days, with intervals.
    fingerprint : dict
        Of the table of customers that belongs to it, from ``fingerprint``; text in a file of clvnb 0.1.0.
    inputs : str
        Hash of the files and settings that it was made from, from ``input_hash``; empty where they are not known.
    looks : list of str
        Days on which a verdict may be asked for; others are interim.
    parent : str
        Hash of the baseline before this one; empty for the first.
    cycle : int
        1 for the first.
    clvnb : str
        Version of the package.
    format : int
        Of the file, for later versions.
    hash : str
        Which baseline this is: of its text, days, counts and ``inputs``, and of no measured figure.

    Notes
    -----
    The last digits of a figure depend on the processor, and no rounding mends that: two figures that differ by as little as
    one likes may lie on either side of a border. ``hash`` therefore holds none, and is the same wherever the same files
    are valued. That no figure was edited is seen by the ``checksum`` of the file, which is compared with that file alone.

    References
    ----------
    Effective number of answers: Kish (1965), *Survey Sampling*.

    Examples
    --------
    >>> first = baseline(None, None, client="Tea", as_of="2025-06-30")
    >>> first.is_open("2026-01-01"), first.is_open("2026-06-30")
    (True, False)
    """

    client: str
    as_of: str
    metric: str
    question: str
    scale: tuple[float, float]
    wave: str
    asked: tuple[str, str]
    score: dict[str, Any] | None
    raw_score: dict[str, Any] | None
    answers: int
    customers: int
    weights: dict[str, float]
    effective: float
    detectable: float
    cut_points: dict[str, list[float]]
    card: dict[str, Any]
    value: dict[str, Any]
    fingerprint: dict[str, Any] | str = field(default_factory=dict)
    inputs: str = ""
    looks: list[str] = field(default_factory=list)
    parent: str = ""
    cycle: int = 1
    clvnb: str = __version__
    format: int = FORMAT
    hash: str = ""

    def sealed(self) -> Baseline:
        """Return the same baseline with its hash.

        Returns
        -------
        Baseline
            With ``hash`` set.
        """
        return replace(self, hash=_identity(asdict(self)))

    @property
    def estimate(self) -> Estimate:
        """The score that counts, as an ``Estimate``.

        Raises
        ------
        TableError
            When nobody was asked.
        """
        if self.score is None:
            raise TableError("this baseline holds no satisfaction: nobody was asked")
        return Estimate.from_dict(self.score)

    def is_open(self, as_of: date | str) -> bool:
        """Say whether its last look is still due, so that it goes on being what is measured against.

        Parameters
        ----------
        as_of : date
            The day of the question.

        Returns
        -------
        bool
            Whether the day lies before the last of ``looks``; False without looks.
        """
        day = as_day(as_of)
        return bool(self.looks) and day is not None and str(day) < max(self.looks)

    def after(self, parent: Baseline) -> Baseline:
        """Return the same baseline as the one that follows ``parent``.

        Parameters
        ----------
        parent : Baseline
            The one before.

        Returns
        -------
        Baseline
            Sealed, ``cycle`` one more than the parent's.
        """
        return replace(self, parent=parent.hash, cycle=parent.cycle + 1).sealed()

    @property
    def how(self) -> Metric:
        """The question and its rule.

        Raises
        ------
        TableError
            When nobody was asked.
        """
        return metric_of(self.metric, (self.scale[0], self.scale[1]))

    def save(self, path: str | Path) -> Path:
        """Write the baseline as JSON, whole or not at all.

        Parameters
        ----------
        path : str or Path
            A file, or a folder that gets ``baseline.json``.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        ReportError
            When it cannot be written.
        """
        target = Path(path)
        target = target / "baseline.json" if target.is_dir() else target
        fields = asdict(self)
        if self.format > OLDEST:
            fields["checksum"] = _checksum(fields)
        else:  # a baseline of 0.1.0 goes on as it was, sealed by its hash alone
            del fields["inputs"]
        text = json.dumps(fields, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        replace_file(target, lambda beside: beside.write_text(text, encoding="utf-8"))
        return target

    @classmethod
    def load(cls, path: str | Path) -> Baseline:
        """Read a baseline, and refuse one that was edited.

        Parameters
        ----------
        path : str or Path
            A file, or a folder with ``baseline.json``.

        Returns
        -------
        Baseline
            As it was written.

        Raises
        ------
        TableError
            When the file is missing, no baseline, of a later format, or not as it was written.
        """
        file = Path(path)
        file = file / "baseline.json" if file.is_dir() else file
        try:
            raw = json.loads(file.read_text(encoding="utf-8"))
            _refuse_other_formats(file, raw)
            known: dict[str, Any] = {k: (tuple(v) if k in {"scale", "asked"} else v) for k, v in raw.items()}
            checksum = known.pop("checksum", "")
            found = cls(**known)
        except OSError as error:
            raise TableError(f"{file}: cannot be read as a baseline: {error.strerror}") from error
        except (ValueError, TypeError, AttributeError) as error:
            raise TableError(
                f"{file}: is not a baseline that clvnb wrote ({error}); use a report's baseline.json"
            ) from error
        if not _as_written(raw, found, checksum):
            raise TableError(
                f"{file}: was changed after it was written, so nothing can be measured against it; "
                "take the baseline.json of the report again"
            )
        return found

    def _told(self) -> tuple[str, Iterable[pd.DataFrame]]:
        score = f"{self.metric.upper()} {self.estimate}" if self.score else "no satisfaction was measured"
        text = f"Baseline of {self.client} on {self.as_of}: {score}. Cycle {self.cycle}, seal {self.hash[:12]}."
        return text, [pd.DataFrame({"what": list(self.card), "how": [str(v) for v in self.card.values()]})]


def _refuse_other_formats(file: Path, raw: Mapping[str, Any]) -> None:
    """Say what to do with a file of another version."""
    made = raw.get("format", FORMAT)
    if made > FORMAT:
        raise TableError(f"{file}: was written by clvnb {raw.get('clvnb')}, which is newer; install that version")
    if made < OLDEST:
        raise TableError(
            f"{file}: was written by an older clvnb ({raw.get('clvnb')}), in another form; "
            f"make that report again with --as-of {raw.get('as_of')}"
        )


def _as_written(raw: Mapping[str, Any], found: Baseline, checksum: str) -> bool:
    """Whether a file holds what clvnb wrote into it; one of 0.1.0 was sealed by the hash of everything."""
    if found.format == OLDEST:
        return _checksum(raw) == found.hash
    return _checksum(raw) == checksum and found.sealed().hash == found.hash


def _checksum(fields: Mapping[str, Any]) -> str:
    """Of everything in one file, figures included; made of that file's own digits, and held against nothing else."""
    apart = "checksum" if fields.get("format", FORMAT) > OLDEST else "hash"
    text = json.dumps({k: v for k, v in fields.items() if k != apart}, sort_keys=True, ensure_ascii=False, default=list)
    return hashlib.sha256(text.encode()).hexdigest()


def _identity(fields: Mapping[str, Any]) -> str:
    """Of the facts that are the same on every processor."""
    facts = _facts({k: v for k, v in fields.items() if k not in {"hash", "fingerprint"}})
    return hashlib.sha256(json.dumps(facts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _facts(value: Any) -> Any:
    """Text, days and counts; of a figure only that there is one."""
    if isinstance(value, float):
        return "a figure"
    if isinstance(value, Mapping):
        return {k: _facts(v) for k, v in value.items()}
    return [_facts(v) for v in value] if isinstance(value, list | tuple) else value


def find_baseline(place: str | Path, as_of: date | str) -> tuple[Baseline, Path] | None:
    """Return the baseline that a report of this day is measured against, and where it lies.

    Parameters
    ----------
    place : path
        A ``baseline.json``, or the folder of a client's reports, of which the newest earlier one counts; empty: there
        is none.
    as_of : date
        The day of the new report.

    Returns
    -------
    (Baseline, Path) or None
        None where there is no earlier one.

    Raises
    ------
    TableError
        When the file or the folder is missing, when the file was edited, or is not of an earlier day.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     _ = baseline(None, None, client="Tea", as_of="2025-06-30").save(place)
    ...     found, file = find_baseline(place, "2025-12-31")
    >>> found.as_of, file.name
    ('2025-06-30', 'baseline.json')
    """
    if not str(place) or str(place) == ".":
        return None
    folder, day = Path(place), str(as_day(as_of))
    if folder.suffix == ".json" or (folder / "baseline.json").is_file():
        found = Baseline.load(folder)
        if found.as_of >= day:
            raise TableError(f"{folder}: is the baseline of {found.as_of}; a report of {day} needs an earlier one")
        return found, folder if folder.is_file() else folder / "baseline.json"
    if not folder.is_dir():
        raise TableError(f"{folder}: no such folder of earlier reports; leave it empty where this is the first cycle")
    earlier = sorted(p for p in folder.glob("????-??-??/baseline.json") if p.parent.name < day)
    return (Baseline.load(earlier[-1]), earlier[-1]) if earlier else None


def baseline(
    answers: pd.DataFrame | None,
    metric: Metric | None,
    *,
    client: str,
    as_of: date | str,
    weights: pd.Series | None = None,
    population: Mapping[str, float] | None = None,
    customers: int = 0,
    cut_points: Mapping[str, list[float]] | None = None,
    card: Mapping[str, Any] | None = None,
    value: Mapping[str, Any] | None = None,
    fingerprint: Mapping[str, Any] | None = None,
    inputs: str = "",
    looks: list[str] | None = None,
    parent: Baseline | None = None,
    level: float = LEVEL,
) -> Baseline:
    """Freeze what is true today.

    Parameters
    ----------
    answers : SURVEY or None
        The kept answers of one series and one wave; None where nobody was asked.
    metric : Metric or None
        From ``metric_of``.
    client : str
        Its name.
    as_of : date
        The last day used.
    weights : pandas.Series, optional
        On the index of ``answers``; from ``post_stratify`` or ``rake``.
    population : mapping, optional
        The cells that were weighed to.
    customers : int
        How many customers the base has.
    cut_points : mapping, optional
        From ``rfm_cuts``.
    card : mapping, optional
        How customers were valued, from ``Card.to_dict()``.
    value : mapping, optional
        What they are worth, as in ``Baseline.value``.
    fingerprint : mapping, optional
        Of the table of customers, from ``fingerprint``.
    inputs : str
        From ``input_hash``.
    looks : list of str, optional
        Days on which a verdict may be asked for; half a year and a year from now when left out.
    parent : Baseline, optional
        The one before.
    level : float
        Of the score's interval.

    Returns
    -------
    Baseline
        Sealed. Where ``answers`` or ``metric`` is None it holds value only.

    Raises
    ------
    TableError
        With fewer than ten answers, or answers of several series or waves.

    Examples
    --------
    >>> from clvnb.satisfaction import metric_of
    >>> rows = {"date": pd.Timestamp("2025-05-01"), "wave": "2025-05", "metric": "csat", "scale_min": 1, "scale_max": 5}
    >>> answers = pd.DataFrame({"score": [5, 4, 4, 2] * 10, **rows})
    >>> frozen = baseline(answers, metric_of("csat"), client="Tea", as_of="2025-06-30", customers=500)
    >>> frozen.estimate.value, frozen.cycle, frozen.looks
    (0.75, 1, ['2025-12-29', '2026-06-30'])
    """
    day = as_day(as_of)
    assert day is not None
    asked = (
        _asked(answers, metric, weights, customers, level) if answers is not None and metric is not None else _NOBODY
    )
    return Baseline(
        client=client,
        as_of=str(day),
        **asked,
        customers=int(customers),
        weights={str(k): float(v) for k, v in (population or {}).items()},
        cut_points={k: [float(x) for x in v] for k, v in (cut_points or {}).items()},
        card=dict(card or {}),
        value=dict(value or {}),
        fingerprint=dict(fingerprint or {}),
        inputs=inputs,
        looks=[str(day + timedelta(days=d)) for d in LOOKS] if looks is None else list(looks),
        parent=parent.hash if parent else "",
        cycle=parent.cycle + 1 if parent else 1,
    ).sealed()


_NOBODY: dict[str, Any] = {"metric": "", "question": "", "scale": (0.0, 0.0), "wave": "", "asked": ("", ""), "score": None, "raw_score": None,
                           "answers": 0, "effective": 0.0, "detectable": 0.0}  # fmt: skip


def _asked(
    answers: pd.DataFrame, metric: Metric, weights: pd.Series | None, customers: int, level: float
) -> dict[str, Any]:
    if len(answers) < MIN_ANSWERS:
        need = planning_size(metric, 0.05 if metric.unit == "share" else 0.10, customers or None)
        raise TableError(
            f"{len(answers)} answers are too few for a baseline; it takes ten or more, and about {need} tell a score to within "
            + ("5 percentage points" if metric.unit == "share" else "10 points")
        )
    if answers["wave"].nunique() > 1 or series_of(answers).nunique() > 1:
        raise TableError("a baseline is one wave of one series; choose the rows of one wave, metric and scale")
    return {
        "metric": metric.name,
        "question": metric.says,
        "scale": (metric.low, metric.high),
        "wave": str(answers["wave"].iloc[0]),
        "asked": (f"{answers['date'].min():%Y-%m-%d}", f"{answers['date'].max():%Y-%m-%d}"),
        "score": score(answers["score"], metric, weights=weights, level=level).to_dict(),
        "raw_score": score(answers["score"], metric, level=level).to_dict(),
        "answers": len(answers),
        "effective": len(answers) if weights is None else effective(weights.to_numpy(float)),
        "detectable": detectable(answers["score"], metric, weights),
    }


def detectable(scores: Any, metric: Metric, weights: Any = None) -> float:
    """Return the smallest change that another wave like this one would probably show, in the metric's unit."""
    kind = metric.classes(scores)
    w = np.ones(len(kind)) if weights is None else np.asarray(weights, dtype=float)
    mean = np.average(kind, weights=w)
    variance = float(np.average((kind - mean) ** 2, weights=w))
    n = effective(w)
    least = detectable_change(n, variance=max(variance, 1 / (len(kind) + 3)))
    return 100 * least if metric.unit == "points" else least


def planning_size(metric: Metric, margin: float, customers: int | None = None) -> int:
    """Return how many answers a score of this metric needs for a margin of error, before anything is known of it."""
    variance, extra = (0.7, 3.0) if metric.unit == "points" else (0.25, 0.0)
    return margin_of_error_size(margin, variance=variance, customers=customers, fewer=extra)


SAME = 1e-8  # of a column's sum: fits of the same data on two processors were seen to differ by 1e-11


def fingerprint(
    customers: pd.DataFrame, columns: Sequence[str] = ("customer_id", "clv", "historic_value")
) -> dict[str, Any]:
    """Return what a table of customers is known by again: its facts exactly, its figures within their last digits.

    Parameters
    ----------
    customers : CLV
        At least ``customer_id``.
    columns : sequence of str
        What is looked at; the order of rows does not matter.

    Returns
    -------
    dict
        ``columns``; ``facts``, SHA-256 of ids, text, counts, and of where a figure is missing; ``figures``, by column
        the sum of the figures, each weighed by its customer, and of their sizes. Compared by ``is_same_table``.

    Notes
    -----
    Weights from 1 to 2 belong to the customers' ids, so that figures which changed places are seen as well.

    Examples
    --------
    >>> one = pd.DataFrame({"customer_id": ["a", "b"], "clv": [1.0, 2.0]})
    >>> is_same_table(one.iloc[::-1], fingerprint(one)), is_same_table(one.assign(clv=[2.0, 1.0]), fingerprint(one))
    (True, False)
    """
    own = customers[[c for c in columns if c in customers]].sort_values("customer_id", kind="stable")
    own = own.reset_index(drop=True)
    numbers = list(own.select_dtypes("float").columns)
    facts = own.assign(**{c: own[c].isna() for c in numbers})
    digest = hashlib.sha256()
    for row in facts.itertuples(index=False, name=None):
        digest.update(("\x1f".join(map(str, row)) + "\n").encode())
    weight = 1.0 + pd.util.hash_array(own["customer_id"].astype(str).to_numpy(object)) / 2.0**64
    sums = {c: own[c].fillna(0.0).to_numpy(float) * weight for c in numbers}
    return {
        "columns": list(own.columns),
        "facts": digest.hexdigest(),
        "figures": {c: [float(x.sum()), float(np.abs(x).sum())] for c, x in sums.items()},
    }


def is_same_table(customers: pd.DataFrame, known: Mapping[str, Any]) -> bool:
    """Say whether a table of customers is the one that a fingerprint was taken of.

    Parameters
    ----------
    customers : CLV
        The table that is asked about.
    known : mapping
        From ``fingerprint``.

    Returns
    -------
    bool
        Whether ids, text and counts are the same and no column's figures moved by more than 1e-8 of their sum,
        so that the same table valued on another processor counts as the same.
    """
    now = fingerprint(customers, known["columns"])
    if now["facts"] != known["facts"] or set(now["figures"]) != set(known["figures"]):
        return False
    return all(abs(now["figures"][c][0] - total) <= SAME * size for c, (total, size) in known["figures"].items())
