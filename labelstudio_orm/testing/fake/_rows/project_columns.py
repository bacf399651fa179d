"""The columns of a project that are flags, and those that are counted."""

from __future__ import annotations

FLAGS = (
    "show_instruction",
    "show_skip_button",
    "enable_empty_annotation",
    "show_annotation_history",
    "is_published",
    "show_collab_predictions",
    "show_ground_truth_first",
    "annotator_evaluation_enabled",
    "show_overlap_first",
    "evaluate_predictions_automatically",
    "reveal_preannotations_interactively",
)
"""Columns that are true or false."""

_LIVE = "NOT a.was_cancelled"
_USEFUL = f"{_LIVE} AND NOT a.ground_truth AND a.result IS NOT NULL"
COUNTERS = {
    "task_number": "SELECT COUNT(*) FROM task t WHERE t.project_id = project.id",
    "finished_task_number": "SELECT COUNT(*) FROM task t WHERE t.project_id = project.id "
    "AND t.is_labeled",
    "total_predictions_number": "SELECT COUNT(*) FROM prediction p WHERE p.project_id = project.id",
    **{
        name: f"SELECT COUNT({what}) FROM annotation a "
        f"WHERE a.project_id = project.id AND {condition}"
        for name, what, condition in (
            ("total_annotations_number", "*", _LIVE),
            ("num_tasks_with_annotations", "DISTINCT a.task_id", _USEFUL),
            ("useful_annotation_number", "*", _USEFUL),
            ("ground_truth_number", "*", "a.ground_truth"),
            ("skipped_annotations_number", "*", "a.was_cancelled"),
        )
    },
}
"""Each counter with the query of its value, upon a row of ``project``."""
