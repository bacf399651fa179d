"""What the server's filters cost, measured on release 1.23.2. Made by ``tests/bench/costs.py``."""

COSTS: dict[str, dict[str, dict[str, float]]] = {
    "sqlite": {
        "base": {"request": 35_000, "task": 10},
        "rows": {"ids": 600, "light": 3000, "annotations": 3300, "whole": 8000},
        "linear": {"* contains": 20, "* compare": 10, "* empty": 20, "* in_list": 10},
        "quadratic": {"annotations_results contains": 10},
    },
    "postgresql": {
        "base": {"request": 35_000, "task": 10},
        "rows": {"ids": 600, "light": 3000, "annotations": 3300, "whole": 8000},
        "linear": {"* contains": 20, "* compare": 10, "* empty": 20, "* in_list": 10},
        "quadratic": {},
    },
}
