"""The engine, which knows no noun: a folder is a floor, which imports from those below it.

From below: ``values``, ``http``, ``fields``, ``conditions``, ``plans``, ``pages``, ``records``,
``reading``, ``bulk``, ``models``. Nothing in here is promised; what is, stands in
``labelstudio_orm.orm``.
"""
