"""The engine, which no noun is known to: one floor a folder, and each imports from those below it.

From below: ``values``, ``http``, ``fields``, ``conditions``, ``plans``, ``pages``, ``records``,
``reading``, ``bulk``, ``models``. Nothing in here is promised; what is, stands in
``labelstudio_orm.orm``.
"""
