"""What a resource is declared with, for addresses of a server that this library does not know.

A declaration is an annotated class under ``@resource(address)``: ``docs/declaring.md`` shows one.

>>> from labelstudio_orm.orm import ForeignKey, Resource, foreign_key, resource
"""

from ._engine.fields.words import (
    always_sent,
    computed,
    field,
    foreign_key,
    lazy_counter,
    readonly,
    readonly_foreign_key,
    secret,
)
from ._engine.models.actions import action, answer, no_answer
from ._engine.models.declaration import fields, resource
from ._engine.models.queryset import QuerySet
from ._engine.models.relations import ForeignKey, HasMany
from ._engine.models.resource import Resource
from ._engine.pages.sources import Numbered, Plain

__all__ = [
    "ForeignKey",
    "HasMany",
    "Numbered",
    "Plain",
    "QuerySet",
    "Resource",
    "action",
    "always_sent",
    "answer",
    "computed",
    "field",
    "fields",
    "foreign_key",
    "lazy_counter",
    "no_answer",
    "readonly",
    "readonly_foreign_key",
    "resource",
    "secret",
]
