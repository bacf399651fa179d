"""Conditions that must hold for one and the same related object."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from .tree import And, Binding, Leaf, Node, Not, Or, Related, conjunction, fold, leaves, parts_in

Open = tuple[Node, frozenset[Binding]]
"""A node, and the choices that it depends on and that are not made yet."""


def together(root: Node) -> Node:
    """Return a tree in which the comparisons of each conjunction share one related object.

    Those of its result share one region, as in Django. A negated condition holds for any object: a
    condition and its complement have nothing in common.
    """
    if sum(1 for leaf in leaves(root) if leaf.bindings) < 2:
        return root
    return fold(root, parts_in, _opened)[0]


def _opened(node: Node, parts: list[Open]) -> Open:
    if isinstance(node, Leaf):
        return node, frozenset(node.bindings)
    if isinstance(node, Not):
        return Not(parts[0][0]), frozenset()
    found = frozenset[Binding]().union(*(bindings for _, bindings in parts))
    if isinstance(node, Or):
        return Or(tuple(part for part, _ in parts)), found
    if isinstance(node, And):
        return _joined(parts), found
    return node, found


def _joined(parts: list[Open]) -> Node:
    """Return the conjunction of parts; those about the same relation share one object of it."""
    asked = Counter(binding for _, bindings in parts for binding in bindings)
    shared = {binding for binding, number in asked.items() if number > 1}
    alone, groups = list[Node](), list[tuple[set[Binding], list[Node]]]()
    for part, bindings in parts:
        common, nodes = shared & bindings, [part]
        if not common:
            alone.append(part)
            continue
        for group in [one for one in groups if common & one[0]]:
            groups.remove(group)
            common |= group[0]
            group[1].extend(nodes)
            nodes = group[1]
        groups.append((common, nodes))
    return conjunction(*alone, *(_about_one(*group) for group in groups))


def _about_one(bindings: Iterable[Binding], nodes: Iterable[Node]) -> Node:
    node = conjunction(*nodes)
    for binding in sorted(bindings, key=lambda one: one.field is None):  # the regions innermost
        node = Related(binding, node)
    return node
