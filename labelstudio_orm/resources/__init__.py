"""The nouns, by what they are about; each module is imported when something of it is named."""

from typing import TYPE_CHECKING

from .._engine.values.lazy import importer
from .._engine.values.registry import registry

if TYPE_CHECKING:
    from . import comments as comments
    from . import drafts as drafts
    from . import exports as exports
    from . import files as files
    from . import imports as imports
    from . import ml as ml
    from . import people as people
    from . import projects as projects
    from . import prompts as prompts
    from . import states as states
    from . import storages as storages
    from . import tasks as tasks
    from . import tokens as tokens
    from . import views as views
    from . import webhooks as webhooks
    from . import workspaces as workspaces

NOUNS = {
    "people": (
        *("User", "Users", "Organization", "Organizations"),
        *("OrganizationMember", "OrganizationMembers"),
    ),
    "comments": ("Comment", "Comments"),
    "drafts": ("Draft",),
    "files": ("FileUpload", "Files"),
    "ml": ("MLBackend", "ModelProvider"),
    "projects": ("Project", "Projects", "Pause", "Pauses"),
    "prompts": ("Prompt", "PromptVersion", "PromptRun", "PromptIndicator", "Refinement"),
    "states": ("TaskState", "AnnotationState", "ProjectState"),
    "storages": ("ImportStorage", "ImportStorages", "ExportStorage", "ExportStorages"),
    "tasks": ("Task", "Tasks", "Annotation", "Annotations", "Prediction", "Predictions"),
    "tokens": ("JWTSettings", "SessionPolicy", "Token", "Tokens"),
    "views": ("View", "Views", "Action"),
    "webhooks": ("Webhook", "Webhooks"),
    "workspaces": ("Workspace", "WorkspaceMember", "WorkspaceMembers"),
    "exports": ("Export", "Exports"),
    "imports": ("ImportJob", "Imports"),
}
"""The resources of each module, the classes of their querysets, and what else users name of it."""

for _module, _names in NOUNS.items():
    registry.expect(f"{__name__}.{_module}", _names)

if not TYPE_CHECKING:  # a type checker would take any name
    __getattr__ = importer(__name__, NOUNS)
