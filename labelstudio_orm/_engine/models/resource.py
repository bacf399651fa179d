"""Resources: records that know all of their kind, ``Project.objects``."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from ..http.connection import default_client
from ..records.record import Record
from .queryset import QuerySet, queryset_of

R = TypeVar("R", bound="Resource")


class Objects:
    """Every object of a class on the default client's server (``connect()``)."""

    def __get__(self, instance: Resource | None, owner: type[R]) -> QuerySet[R]:
        if instance is not None:
            raise AttributeError(f"objects is of the class, {owner.__name__}.objects")
        return queryset_of(owner, default_client())


class Resource(Record):
    """The base of every resource.

    Equality and hash go by (type, id, server); an object that was never saved equals only itself
    and has no hash. Fields are read from the row when they are touched; edits, also in place, are
    found by ``save``.
    """

    objects: ClassVar[Objects] = Objects()
