"""Print tables of answers with the kappa that statsmodels says of them, for test_agreement.py.

python -m pip install statsmodels
python -m tests.unit.fleiss
"""

from __future__ import annotations

import random
from collections import Counter
from typing import Any


def tables() -> list[list[list[int]]]:
    """Tables with as many raters for each unit, by the seed."""
    made = []
    for seed, raters in ((1, 2), (2, 3), (3, 7)):
        chance = random.Random(seed)
        rows = [Counter(chance.choices("abcd", k=raters)) for _ in range(6)]
        made.append([[row[one] for one in "abcd"] for row in rows])
    return made


if __name__ == "__main__":
    from statsmodels.stats import inter_rater

    of: Any = inter_rater.fleiss_kappa
    for table in tables():
        print(f"    ({table}, {float(of(table))!r}),")
