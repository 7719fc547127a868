"""Figures and what they are held against: each is printed as it comes, and the end of a run counts those that are short."""

FIGURES = []


def number(value):
    """Three digits that matter, and no more."""
    if isinstance(value, int) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def figure(what, value, unit, bar, ok, beside=""):
    """A value and what it should be. `ok` None: only told."""
    verdict = {True: "ok", False: "SHORT", None: ""}[ok]
    FIGURES.append((what, verdict))
    print(f"{what:<58} {number(value) + ' ' + unit:>14}   {bar:<24} {verdict:<5} {beside}".rstrip(), flush=True)


def at_most(what, value, unit, bar):
    figure(what, value, unit, f"<= {bar:,} {unit}", value <= bar)


def at_least(what, value, unit, bar):
    figure(what, value, unit, f">= {bar:,} {unit}", value >= bar)


def told(what, value, unit):
    figure(what, value, unit, "", None)


def short():
    return sum(verdict == "SHORT" for _, verdict in FIGURES)
