"""``make prove-values``: plant faults in real data, judge years of flights, write the page."""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from data_sets import DATA_SETS
from peers import beside_peers
from rich.console import Console
from trials import prove_quietly
from values_page import tables, write
from year import told_of_years, year_of_flights

_PAGE = Path(__file__).parents[2] / "docs" / "values.md"
_PEERS = "--peers"


def main() -> None:
    """Prove, print, and write the page."""
    parser = argparse.ArgumentParser(prog="make prove-values", description=__doc__)
    parser.add_argument("--batches", type=int, default=2, help="batches for each fault and column")
    parser.add_argument("--clean", type=int, default=200, help="clean batches of each data set")
    parser.add_argument("--years", type=int, default=1_000, help="resampled years of flights")
    parser.add_argument("--learnings", type=int, default=20, help="what these are judged by")
    parser.add_argument("--page", type=Path, default=_PAGE)
    parser.add_argument(_PEERS, action="store_true", help="run other monitors of data instead")
    options = parser.parse_args()
    if options.peers:
        write(options.page, beside_peers(), f"make prove-values VALUES={_PEERS}")
        return
    prove_one = partial(prove_quietly, batches=options.batches, clean=options.clean)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        proofs = pool.map(prove_one, range(len(DATA_SETS)))
        judge_years = partial(year_of_flights, years=options.years // options.learnings)
        years = pool.map(judge_years, range(options.learnings))
        found = list(proofs)
        lines = [*tables(found, options.batches, options.clean), *told_of_years(list(years))]
    write(options.page, lines)
    Console().print("\n".join(lines), markup=False, soft_wrap=True)


if __name__ == "__main__":
    main()
