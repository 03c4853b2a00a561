"""What was measured beside the peers, in one page: bars, tables, pictures.

    python benchmarks/results.py        reads peers.csv, scale.csv, reports.csv, accuracy.csv, intervals.csv; writes RESULTS.md,
                                        ratios.png and growth.png

What is short of its bar is said to be short.
"""

from __future__ import annotations

import os
import platform

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from beside import ENVIRONMENTS, HERE, state
from matplotlib.axes import Axes
from peers import Work, works

import clvnb as cv

LOOKS = {"clvnb": ("o", "-", "#1f6f8b"), "lifetimes": ("s", "--", "#c8553d"), "clvkit": ("^", ":", "#555555"),
         "pymc-marketing": ("D", "-.", "#8a6d00"), "CLVTools": ("v", "--", "#7a4f9a"), "one pass": ("", (0, (1, 3)), "#888888")}  # fmt: skip
MET, SHORT = "met", "**short**"


def main() -> None:
    data = pd.read_csv(HERE / "peers.csv", keep_default_na=False, na_values=[""])
    scale, accuracy, reports = (pd.read_csv(HERE / f"{name}.csv") for name in ("scale", "accuracy", "reports"))
    refused = data[data["work"] == "install"].set_index("way")["data"]
    versions = ", ".join(pins[0].replace("==", " ") for name, pins in ENVIRONMENTS.items() if name not in refused)
    absent = [f"{name} ({why})" for name, why in refused.items()]
    text = [
        "# Beside the peers",
        f"Measured by `make bench`, {when([data, accuracy, reports, scale])}. {machine()}; clvnb {cv.__version__}, {versions}."
        + (f" Could not be installed, and so is not measured: {'; '.join(absent)}. A bar beside it is open." if absent else ""),
        "## Every bar", bars(data, scale, accuracy),
        "![Each way's time over clvnb's, with the smallest and the largest of a turn, beside its bar](ratios.png)",
        "## Fits and scores", table(data),
        "Every run is a process of its own, warmed up on two thousand customers; the ways take turns. A ratio is that of the medians, with "
        "the smallest and the largest of a turn; what takes minutes is run once. One BLAS thread each. clvnb's fit contains the putting "
        "together of equal histories, its standard errors, and a check that it is a maximum. `scores` are expected purchases in a year, the "
        "chance to be active, and the discounted value of twelve months, for every customer; `fit with intervals` are both fits and the "
        "90 % interval of every customer's value. `wide` are customers who join over a year, of whom hardly two share a history; the others "
        "join over twelve weeks, as CDNOW's did. `one pass` reads the columns from memory once, and for the scores writes three: nothing "
        "can be faster. MB is the largest resident memory of the process, the table of customers in it included. The log-likelihood is "
        "clvnb's for all, at each one's estimates.",
        "## Growth", slopes(data, scale),
        "![Seconds against customers, both on logarithmic scales, with one pass over memory below](growth.png)",
        "## Intervals of parameters beside NUTS", widths(data),
        "## Orders to summary, and to the table of values", scaled(scale),
        "## Accuracy on real logs", accurate(accuracy),
        "## First result, import, reports", firsts(data), imported(data), reported(reports.set_index("way")),
    ]  # fmt: skip
    (HERE / "RESULTS.md").write_text("\n\n".join(text) + "\n", encoding="utf-8")
    draw_ratios(data)
    draw_growth(data)
    print(text[3])


def machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} processors ({platform.machine()}), {memory:.0f} GB, {platform.system()}, Python {platform.python_version()}"


def when(parts: list[pd.DataFrame]) -> str:
    """When the first and the last part ended, and whether all of it is of the package as it stands."""
    stamps = pd.concat([part[["measured", "state"]] for part in parts])
    told = f"whose parts ended between {stamps['measured'].min()} and {stamps['measured'].max()}"
    other = int((stamps["state"] != state()).sum())
    if not other:
        return f"{told}, all of it with the package as it stands (state `{state()}`)"
    return f"{told}; **{other} of {len(stamps)} rows were measured with another state of the package** than `{state()}`"


def grid(head: str, rows: list[list[str]]) -> str:
    """A table in Markdown; numbers stand to the right where the head ends in a colon."""
    names = [name.strip() for name in head.split("|")]
    lines = [
        "| " + " | ".join(n.rstrip(":") for n in names) + " |",
        "|" + "|".join("--:" if n.endswith(":") else "---" for n in names) + "|",
    ]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


# -------------------------------------------------------------------------------------------- from runs to ratios


def of(data: pd.DataFrame, work: Work) -> pd.DataFrame:
    return data[(data["work"] == work.name) & (data["data"] == work.data)]


def ratio(own: pd.DataFrame, way: str, base: str = "clvnb") -> tuple[float, float, float]:
    """Of medians, and the smallest and largest of a turn."""
    mine, other = (own[own["way"] == w].set_index("turn")["seconds"] for w in (base, way))
    each = (other / mine).dropna() if len(other) > 1 else other.iloc[0] / mine
    return float(other.median() / mine.median()), float(each.min()), float(each.max())


def verdict(met: bool) -> str:
    return MET if met else SHORT


def bars(data: pd.DataFrame, scale: pd.DataFrame, accuracy: pd.DataFrame) -> str:
    """Each bar, what was found, and whether it is met."""
    rows = []
    for work in works():
        own = of(data, work)
        ours = own[own["way"] == "clvnb"]
        for way, bar in work.bars.items():
            if way in set(own["way"]):
                found = ratio(own, way)[0]
                rows.append(
                    [f"{work.name}, {work.data}", f"{bar:g} times {way}", f"{found:,.0f}", verdict(found >= bar)]
                )
            else:
                absent = way in set(data.loc[data["work"] == "install", "way"])
                told = ["could not be installed", "open"] if absent else ["not measured", SHORT]
                rows.append([f"{work.name}, {work.data}", f"{bar:g} times {way}", *told])
        if work.most:
            found = ours["seconds"].median()
            rows.append(
                [f"{work.name}, {work.data}", f"at most {work.most:g} s", f"{found:.2f} s", verdict(found <= work.most)]
            )
        if work.most_megabytes:
            found = ours["megabytes"].max()
            bar = f"at most {work.most_megabytes:,.0f} MB"
            rows.append([f"{work.name}, {work.data}", bar, f"{found:,.0f} MB", verdict(found <= work.most_megabytes)])
    worst = max(worse(of(data, work)) for work in works() if work.model)
    rows.append(["log-likelihood of every fit", "no peer better by 1e-6 of it", f"{worst:.1g}", verdict(worst <= 1e-6)])
    for name, (slope, bar) in growth(data, scale).items():
        rows.append([name, f"slope at most {bar:g}", f"{slope:.2f}", verdict(slope <= bar)])
    ratios = [ours / theirs for _, ours, theirs in width_pairs(data)]
    if ratios:
        fine = all(0.9 <= r <= 1.1 for r in ratios)
        rows.append(
            [
                "widths of BG/NBD's intervals",
                "within 10 % of NUTS",
                f"{min(ratios):.2f} to {max(ratios):.2f}",
                verdict(fine),
            ]
        )
    cpu = import_ratio(data)
    rows.append(["`import clvnb`", "at most 1.3 times `import pandas`", f"{cpu:.2f}", verdict(cpu <= 1.3)])
    rows += scale_bars(scale) + accuracy_bars(accuracy)
    return grid("work | bar | found: | ", rows)


def worse(own: pd.DataFrame) -> float:
    """By how much of it a peer's likelihood is above clvnb's."""
    each = own.dropna(subset=["log_likelihood"]).groupby("way")["log_likelihood"].median()
    return float(max((each.max() - each["clvnb"]) / abs(each["clvnb"]), 0.0))


def scale_bars(scale: pd.DataFrame) -> list[list[str]]:
    own = scale[(scale["work"] == "orders to summary") & (scale["size"] == "100 M orders")].set_index("way")
    if own.empty:
        return [["orders to summary, 100 M", "at most 1.15 times SQL by hand", "not measured", SHORT]]
    free = float(own.loc["clvnb", "seconds"]) / float(own.loc["sql by hand", "seconds"])
    tight = float(own.loc["clvnb, 1 GB", "seconds"]) / float(own.loc["sql by hand, 1 GB", "seconds"])
    size = float(own.loc["clvnb, 1 GB", "megabytes"])
    return [
        ["orders to summary, 100 M", "at most 1.15 times SQL by hand", f"{free:.2f}", verdict(free <= 1.15)],
        ["the same, engine limit of 1 GB", "at most 1.15 times SQL by hand", f"{tight:.2f}", verdict(tight <= 1.15)],
        ["the same, engine limit of 1 GB", "at most 1,600 MB", f"{size:,.0f} MB", verdict(size <= 1600)],
    ]


def accuracy_bars(accuracy: pd.DataFrame) -> list[list[str]]:
    rows = []
    for name, own in accuracy.groupby("log", sort=False):
        chosen = own[own["chosen"]].iloc[0]
        peers = own[~own["who"].isin(["clvnb", "naive"])]["mae"].min()
        found = chosen["mae"] / peers - 1
        rows.append(
            [
                f"holdout MAE, {name}",
                "within 2 % of the best model of any peer",
                f"{found:+.1%}",
                verdict(found <= 0.02),
            ]
        )
        if chosen["level"] == "reliable":
            cover = chosen["coverage"]
            rows.append(
                [
                    f"interval coverage, {name}",
                    "86 to 94 %, the trust level is reliable",
                    f"{cover:.1%}",
                    verdict(0.86 <= cover <= 0.94),
                ]
            )
    return rows


# ------------------------------------------------------------------------------------------------------- tables


def table(data: pd.DataFrame) -> str:
    rows = []
    for work in works():
        own = of(data, work)
        for way in own["way"].unique():
            one, ours = own[own["way"] == way], own[own["way"] == "clvnb"]
            found, low, high = ratio(own, way)
            times = (
                "1"
                if way == "clvnb"
                else f"{found:.2g} ({low:.2g} to {high:.2g})"
                if found < 10
                else f"{found:,.0f} ({low:,.0f} to {high:,.0f})"
            )
            less = one["log_likelihood"].median() - ours["log_likelihood"].median() if work.model else np.nan
            gained = "" if way == "clvnb" or np.isnan(less) else f"{less / abs(ours['log_likelihood'].median()):.1g}"
            rows.append(
                [
                    work.name,
                    work.data,
                    way,
                    f"{one['seconds'].median():.4f}",
                    times,
                    f"{one['megabytes'].max():,.0f}",
                    gained,
                ]
            )
    return grid(
        "work | customers | way | seconds: | times clvnb's: | MB: | log-likelihood beside clvnb's, of it:", rows
    )


def growth(data: pd.DataFrame, scale: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """Slopes in log-log, and what they may be at most."""
    found = {}
    for name in dict.fromkeys(w.name for w in works()):
        own = data[(data["work"] == name) & (data["way"] == "clvnb")].groupby("data")["seconds"].median()
        if {"100k", "10M"} <= set(own.index):
            slope = float(np.log(own["10M"] / own["100k"]) / np.log(100))
            found[f"{name}, 100k to 10M"] = (slope, 0.8 if "fit" in name else 1.05)
    for name, few, many in (
        ("orders to summary", "1 M orders", "100 M orders"),
        ("summary to CLV table", "100,000 customers", "10,000,000 customers"),
    ):
        own = scale[(scale["work"] == name) & (scale["way"] == "clvnb")].set_index("size")["seconds"]
        if {few, many} <= set(own.index):
            found[f"{name}, {few} to {many}"] = (float(np.log(float(own[many]) / float(own[few])) / np.log(100)), 1.05)
    return found


def slopes(data: pd.DataFrame, scale: pd.DataFrame) -> str:
    return grid(
        "work | slope: | at most:", [[k, f"{s:.2f}", f"{bar:g}"] for k, (s, bar) in growth(data, scale).items()]
    )


def width_pairs(data: pd.DataFrame) -> list[tuple[str, float, float]]:
    own = data[data["work"] == "fit with intervals"].groupby("way").first()
    if not {"clvnb", "pymc-marketing"} <= set(own.index):
        return []
    return [
        (k, *(float(own.loc[w, f"width of {k}"]) for w in ("clvnb", "pymc-marketing")))
        for k in ("r", "alpha", "a", "b")
    ]


def widths(data: pd.DataFrame) -> str:
    pairs = width_pairs(data)
    if not pairs:
        return "pymc-marketing could not be measured."
    held = data[data["work"] == "parameters of 20 logs"].set_index("way")
    both = {"clvnb", "pymc-marketing"} <= set(held.index)
    rows = []
    for name, ours, theirs in pairs:
        kept = [f"{held.loc[w, f'held {name}']:.0f}" if both else "" for w in ("clvnb", "pymc-marketing")]
        rows.append([name, f"{ours:.3f}", f"{theirs:.3f}", f"{ours / theirs:.2f}", *kept])
    told = "90 % intervals of BG/NBD's parameters, in weeks; NUTS has pymc-marketing's own priors. The widths are those on CDNOW's sample."
    if both:
        seconds = held["seconds"]
        told += (
            " The last columns say in how many of twenty simulated logs of 2,400 customers the interval held the truth (18 are expected); "
            f"the twenty fits took clvnb {seconds['clvnb']:.2f} s, NUTS {seconds['pymc-marketing']:,.0f} s. How often clvnb's intervals of what "
            "comes hold it, model by model in two hundred logs, stands in `intervals.csv`."
        )
    head = "parameter | width, clvnb: | width, NUTS: | ratio: | held, clvnb: | held, NUTS:"
    return f"{told}\n\n{grid(head, rows)}"


def scaled(scale: pd.DataFrame) -> str:
    rows = [
        [r.work, r.size_, r.way, f"{r.seconds:,.2f}", "" if np.isnan(r.beside_sql) else f"{r.beside_sql:.2f}", f"{r.megabytes:,.0f}", f"{r.runs:.0f}"]
        for r in scale.rename(columns={"size": "size_"}).itertuples()
    ]  # fmt: skip
    told = (
        "From `scale.py`, parquet to parquet. `read only` looks at every id, day and amount once, which no way can do without. "
        "The SQL by hand makes the same columns, and its sums are checked to be the same."
    )
    return f"{told}\n\n{grid('work | size | way | seconds: | beside SQL: | MB: | runs:', rows)}"


def accurate(accuracy: pd.DataFrame) -> str:
    rows = [
        [r.log, r.who, r.model + (" (chosen)" if r.chosen else ""), f"{r.mae:.3f}", f"{r.rmse:.3f}", f"{r.bias:+.1%}", f"{r.gini:.3f}",
         "" if np.isnan(r.coverage) else f"{r.coverage:.1%}"]
        for r in accuracy.itertuples()
    ]  # fmt: skip
    logs = accuracy.groupby("log", sort=False).first()
    told = "; ".join(
        f"{name}: {r.customers:,} customers, {r.days} days ahead, trust level: {r.level}" for name, r in logs.iterrows()
    )
    return (
        f"From `accuracy.py`: each log is cut at two thirds, every model fitted on the first part, and its last third predicted. {told}. The "
        "peers' models are fitted on the same summary, pymc-marketing's at the maximum of its posterior; a peer's model that is missing could "
        "not be fitted. Of the peers none gives an interval for what a customer will do.\n\n"
        + grid("log | who | model | MAE: | RMSE: | bias: | Gini: | coverage of 90 %:", rows)
    )


def firsts(data: pd.DataFrame) -> str:
    own = data[data["work"] == "first result"]
    rows = []
    for way in own["way"].unique():
        found, low, high = ratio(own, way)
        seconds = own[own["way"] == way]["seconds"].median()
        rows.append([way, f"{seconds:.1f}", "1" if way == "clvnb" else f"{found:.1f} ({low:.1f} to {high:.1f})"])
    told = (
        "From nothing to the value of each of CDNOW's 2,357 sampled customers in a notebook of one cell: the kernel starts, the library "
        "is imported, orders are read, models fitted. clvnb's values have intervals."
    )
    return f"{told}\n\n{grid('way | seconds: | times clvnb:', rows)}"


def import_ratio(data: pd.DataFrame) -> float:
    cpu = data[data["work"] == "import"].groupby("way")["cpu"].median()
    return float(cpu["clvnb"] / cpu["pandas"])


def imported(data: pd.DataFrame) -> str:
    cpu = data[data["work"] == "import"].groupby("way")["cpu"].median()
    return f"`import clvnb` takes {cpu['clvnb']:.3f} CPU seconds, `import pandas` {cpu['pandas']:.3f}."


def reported(own: pd.DataFrame) -> str:
    rows = [
        [way, f"{r.reports_per_minute:.1f}", f"{r.times_slower:.2f}", f"{r.cpu_each:.2f}", f"{r.memory:,.0f}"] for way, r in own.iterrows()
    ]  # fmt: skip
    told = (
        f"Reports, from `reports.py`: {own['clients'].max():.0f} simulated shops, four notebooks each, two at a time; the slower ways get a part "
        f"of them. The notebooks' cells alone, without a kernel or papermill, take {own['own_work'].iloc[0]:.2f} CPU seconds a client: that is "
        "the bound. MB is the largest memory of all processes together."
    )
    return f"{told}\n\n{grid('way | reports a minute: | times clvnb: | CPU seconds a client: | MB:', rows)}"


# ----------------------------------------------------------------------------------------------------- pictures


def draw_ratios(data: pd.DataFrame) -> None:
    """Each peer's time over clvnb's, with the spread of the turns; a bar where one is set."""
    rows = []
    for work in works():
        own = of(data, work)
        rows += [(f"{work.name}, {work.data}", way, *ratio(own, way), work.bars.get(way, np.nan))
                 for way in own["way"].unique() if way not in {"clvnb", "one pass"}]  # fmt: skip
    found = pd.DataFrame(rows, columns=["work", "way", "ratio", "low", "high", "bar"])
    found = found[~found["work"].str.contains("logs")].iloc[::-1].reset_index(drop=True)
    figure, ax = plt.subplots(figsize=(8.5, 0.27 * len(found) + 1.2), layout="constrained")
    ax.hlines(found.index, found["low"], found["high"], color="#999999", lw=2)
    for way, (mark, _, colour) in LOOKS.items():
        one = found[found["way"] == way]
        if len(one):
            ax.plot(one["ratio"], one.index, mark, color=colour, label=f"{way} over clvnb")
    ax.plot(found["bar"], found.index, "|", color="black", ms=13, mew=1.6, label="at least")
    ax.set(xscale="log", xlabel="times clvnb's seconds, logarithmic scale")
    ax.set_yticks(found.index, found["work"])
    ax.grid(axis="x", alpha=0.3)
    figure.legend(loc="outside lower center", ncols=4, frameon=False)
    figure.savefig(HERE / "ratios.png", dpi=110)


def draw_growth(data: pd.DataFrame) -> None:
    """Seconds against customers, one picture for each work."""
    sized = data[data["data"].str.fullmatch(r"[\d.]+[kM]", na=False)]
    names = [n for n in dict.fromkeys(w.name for w in works()) if n in set(sized["work"])]
    figure, places = plt.subplots(1, len(names), figsize=(3.1 * len(names), 3.6), sharey=True, layout="constrained")
    for ax, name in zip(places, names, strict=True):
        _draw_work(ax, sized[sized["work"] == name])
        ax.set(xscale="log", yscale="log", title=name, xlabel="customers")
        ax.grid(alpha=0.3)
    places[0].set_ylabel("seconds")
    found = {label: handle for ax in places for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    figure.legend(found.values(), found.keys(), loc="outside lower center", ncols=len(found), frameon=False)
    figure.savefig(HERE / "growth.png", dpi=110)


def _draw_work(ax: Axes, own: pd.DataFrame) -> None:
    for way, (mark, line, colour) in LOOKS.items():
        one = own[own["way"] == way].groupby("data")["seconds"].median()
        if len(one):
            size = one.index.str.replace("k", "e3").str.replace("M", "e6").astype(float)
            order = np.argsort(size)
            ax.plot(size[order], one.to_numpy()[order], marker=mark, linestyle=line, color=colour, label=way)


if __name__ == "__main__":
    main()
