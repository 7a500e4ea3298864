"""The cells that are run: what is made, what is then changed, and what each change is called."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Size:
    """How much is made, and how often each change is measured."""

    rows: int
    variables: int
    dicts: int
    files: int
    big: int
    times: int


FULL = Size(rows=1_000_000, variables=1_000, dicts=200_000, files=5_000, big=50_000_000, times=5)
QUICK = Size(rows=10_000, variables=50, dicts=2_000, files=200, big=500_000, times=2)


@dataclass(frozen=True)
class Scenario:
    """``make`` is the first cell; each change a cell with ``{turn}`` for its number. ``undo`` is a change gone back on.

    ``fresh``: all is restored into a new kernel at the end.
    """

    key: str
    name: str
    make: str
    changes: dict[str, str] = field(default_factory=dict)
    undo: str = ""
    fresh: bool = False


_IMPORTS = "import numpy as np, pandas as pd\nrng = np.random.default_rng(1)\n"


def scenarios(size: Size) -> tuple[Scenario, ...]:
    """All of them, in the order of the table."""
    half = size.rows // 2
    return (
        Scenario(
            "frame",
            f"a frame of {size.rows * 200 / 1e6:,.0f} MB in 25 columns",
            f"{_IMPORTS}df = pd.DataFrame({{f'c{{i}}': rng.random({size.rows}) for i in range(25)}})\nother = [1]",
            {
                "one column changed": "df['c{turn}'] = df['c{turn}'] * 2",
                "one value changed": "df.loc[{turn}, 'c9'] = 0.5",
                "only read": "total = float(df['c{turn}'].sum())",
                "an unrelated cell": "other.append({turn})",
            },
            undo="df['c{turn}'] = 0.0",
            fresh=True,
        ),
        Scenario(
            "small",
            f"{size.variables:,} small variables",
            f"for i in range({size.variables}): globals()[f'v{{i}}'] = {{'n': i, 'l': [i, str(i)]}}\ndel i",
            {"one changed": "v{turn}['l'].append(0)"},
        ),
        Scenario(
            "dicts",
            f"a list of {size.dicts:,} dicts",
            f"rows = [{{'id': i, 'name': f'n{{i}}', 'score': i * 0.5}} for i in range({size.dicts})]",
            {"one changed": "rows[{turn} * 7]['score'] = -1.0"},
        ),
        Scenario(
            "shared",
            f"frames that share columns ({half * 26 * 8 / 1e6:,.0f} MB in memory)",
            f"{_IMPORTS}a = pd.DataFrame({{f'c{{i}}': rng.random({half}) for i in range(25)}})\n"
            "b = a[['c1', 'c2', 'c3']]\nc = a.assign(n=1.0)\nd = a.drop(columns='c0')\ns = a['c4']",
            {"one column of one changed": "a['c{turn}'] = a['c{turn}'] + 1"},
        ),
        Scenario(
            "figure",
            "a figure of 100,000 points",
            "import matplotlib\nmatplotlib.use('Agg')\nimport numpy as np\nfrom matplotlib.figure import Figure\n"
            "fig = Figure()\nax = fig.subplots()\nax.plot(np.random.default_rng(1).random(100_000))\nnone = None",
            {"its title changed": "ax.set_title('number {turn}'); None"},
        ),
    )
