"""Every declared resource by its name, so that declarations may name each other in any order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, MutableMapping
from importlib import import_module
from typing import Any

from .declared import header_of


class Registry(MutableMapping[str, type[Any]]):
    """The classes of all resources by name: "Task", "ImportStorage.S3".

    A module that is ``expected`` to declare resources is imported when one of its names is asked
    for, and with all others when the resources are gone through.
    """

    def __init__(self) -> None:
        self.declared: dict[str, type[Any]] = {}
        """What was declared so far; nothing is imported for it."""
        self._modules: dict[str, str] = {}

    def expect(self, module: str, names: Iterable[str]) -> None:
        """Have a module imported for these names, of its resources and of their querysets."""
        self._modules.update(dict.fromkeys(names, module))

    def related(self, name: str) -> type[Any]:
        """Return the resource of this name, or whose querysets have a class of this name."""
        self._import(name)
        for model in self.declared.values():
            if name == getattr(header_of(model).queryset, "__name__", None):
                return model
        return self[name]

    def _import(self, name: str) -> None:
        module = self._modules.get(name.partition(".")[0])
        if module is not None:
            import_module(module)

    def __getitem__(self, name: str) -> type[Any]:
        if name not in self.declared:
            self._import(name)
        return self.declared[name]

    def __setitem__(self, name: str, model: type[Any]) -> None:
        self.declared[name] = model

    def __delitem__(self, name: str) -> None:
        del self.declared[name]

    def __iter__(self) -> Iterator[str]:
        """Yield all names, in the same order whatever was imported first."""
        places = {module: n for n, module in enumerate(dict.fromkeys(self._modules.values()))}
        for module in places:
            import_module(module)
        last = len(places)
        return iter(
            sorted(self.declared, key=lambda name: places.get(_module_of(self, name), last))
        )

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _module_of(registry: Registry, name: str) -> str:
    return registry.declared[name].__module__


registry = Registry()
