"""The tables of the fake server, as SQL."""

from __future__ import annotations

# AUTOINCREMENT, column affinities and the order of the indexes are the real ones: the id after a
# deletion and the order of rows that nothing else orders depend on them.
SCHEMA = """
CREATE TABLE user (id integer PRIMARY KEY AUTOINCREMENT, first_name text, last_name text, username
  text, email text, last_activity datetime, custom_hotkeys text, phone text, active_organization
  integer, allow_newsletters bool, date_joined datetime, token text);
CREATE TABLE organization (id integer PRIMARY KEY AUTOINCREMENT, title varchar(1000), token text,
  contact_info text, created_by integer, created_at datetime, updated_at datetime);
CREATE TABLE member (id integer PRIMARY KEY AUTOINCREMENT, user_id integer REFERENCES user ON DELETE
  CASCADE, organization integer, created_at datetime, deleted_at datetime);
CREATE TABLE session_policy (id integer PRIMARY KEY, max_session_age integer,
  max_time_between_activity integer, created_at datetime, updated_at datetime);
CREATE TABLE token (jti text PRIMARY KEY, user_id integer REFERENCES user ON DELETE CASCADE, token
  text, blacklisted bool NOT NULL DEFAULT 0);
CREATE TABLE project (id integer PRIMARY KEY AUTOINCREMENT, title varchar(50), description text,
  label_config text, expert_instruction text, show_instruction bool, show_skip_button bool,
  enable_empty_annotation bool, show_annotation_history bool, color varchar(16),
  maximum_annotations integer, is_published bool, model_version text, is_draft bool, created_by
  integer, created_at datetime, min_annotations_to_start_training integer, show_collab_predictions
  bool, sampling varchar(100), show_ground_truth_first bool, annotator_evaluation_enabled bool,
  show_overlap_first bool, overlap_cohort_percentage integer, task_data_login varchar(256),
  task_data_password varchar(256), control_weights text, evaluate_predictions_automatically bool,
  skip_queue varchar(100), reveal_preannotations_interactively bool, pinned_at datetime,
  created_annotations text, created_labels text, created_labels_drafts text DEFAULT '{}', token
  text, updated_at datetime);
CREATE TABLE task (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, data text NOT NULL, created_at
  datetime, updated_at datetime, is_labeled bool NOT NULL, project_id integer REFERENCES project
  ON DELETE CASCADE, meta text, overlap integer NOT NULL, file_upload_id integer
  REFERENCES file_upload ON DELETE SET NULL, updated_by_id
  integer REFERENCES user ON DELETE SET NULL, inner_id bigint, total_annotations integer NOT NULL,
  cancelled_annotations integer NOT NULL, total_predictions integer NOT NULL, comment_count
  integer NOT NULL, last_comment_updated_at datetime, unresolved_comment_count integer NOT NULL,
  precomputed_agreement real, allow_skip bool);
CREATE INDEX task_project ON task (project_id);
CREATE INDEX task_updated_by ON task (updated_by_id);
CREATE INDEX task_project_labeled ON task (project_id, is_labeled);
CREATE INDEX task_id_project ON task (id, project_id);
CREATE INDEX task_project_inner ON task (project_id, inner_id);
CREATE INDEX task_project_id ON task (project_id, id);
CREATE TABLE annotation (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, result text, was_cancelled
  bool NOT NULL, created_at datetime, updated_at datetime, task_id integer REFERENCES task ON
  DELETE CASCADE, prediction text, lead_time real, result_count integer NOT NULL, completed_by_id
  integer REFERENCES user ON DELETE SET NULL, ground_truth bool NOT NULL, parent_prediction_id
  integer REFERENCES prediction ON DELETE SET NULL, last_action varchar(128), last_created_by_id
  integer, project_id integer, updated_by_id integer REFERENCES user ON DELETE SET NULL, unique_id
  char(32) UNIQUE, draft_created_at datetime, import_id bigint, bulk_created bool,
  parent_annotation_id integer REFERENCES annotation ON DELETE SET NULL);
CREATE INDEX annotation_task ON annotation (task_id);
CREATE INDEX annotation_completed_by ON annotation (completed_by_id);
CREATE INDEX annotation_parent_prediction ON annotation (parent_prediction_id);
CREATE INDEX annotation_project ON annotation (project_id);
CREATE INDEX annotation_updated_by ON annotation (updated_by_id);
CREATE INDEX annotation_parent ON annotation (parent_annotation_id);
CREATE INDEX annotation_task_truth ON annotation (task_id, ground_truth);
CREATE INDEX annotation_task_completed_by ON annotation (task_id, completed_by_id);
CREATE INDEX annotation_id_task ON annotation (id, task_id);
CREATE INDEX annotation_task_cancelled ON annotation (task_id, was_cancelled);
CREATE INDEX annotation_project_id ON annotation (project_id, id);
CREATE TABLE prediction (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, result text, score real,
  model_version text, created_at datetime, updated_at datetime, task_id integer NOT NULL
  REFERENCES task ON DELETE CASCADE, cluster integer, mislabeling real NOT NULL DEFAULT 0.0,
  neighbors text, project_id integer REFERENCES project ON DELETE CASCADE, model_run integer,
  model integer);
CREATE INDEX prediction_task ON prediction (task_id);
CREATE INDEX prediction_project ON prediction (project_id);
CREATE TABLE draft (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, result text, lead_time real,
  task_id integer REFERENCES task ON DELETE CASCADE, annotation_id integer REFERENCES annotation ON
  DELETE CASCADE, user_id integer REFERENCES user ON DELETE CASCADE, was_postponed bool, import_id
  bigint, created_at datetime, updated_at datetime);
CREATE INDEX draft_task ON draft (task_id);
CREATE TABLE view (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, data text, ordering text,
  "order" integer, selected_items text, filters text, user integer, project_id integer REFERENCES
  project ON DELETE CASCADE);
CREATE TABLE file_upload (id integer PRIMARY KEY AUTOINCREMENT, user_id integer REFERENCES user ON
  DELETE CASCADE, project_id integer REFERENCES project ON DELETE CASCADE, file varchar(100),
  content blob);
CREATE INDEX task_file_upload ON task (file_upload_id);
CREATE TABLE project_import (id integer PRIMARY KEY AUTOINCREMENT, project_id integer REFERENCES
  project ON DELETE CASCADE, user_id integer, status text, url text, error text, work text, answer
  text, created_at datetime);
CREATE TABLE export (id integer PRIMARY KEY AUTOINCREMENT, project_id integer REFERENCES project ON
  DELETE CASCADE, created_by integer, title text, status text, md5 text, counters text, options
  text, file text, content blob, created_at datetime, finished_at datetime);
CREATE TABLE converted_format (id integer PRIMARY KEY AUTOINCREMENT, export_id integer REFERENCES
  export ON DELETE CASCADE, export_type text, status text);
CREATE TABLE sequence (name text PRIMARY KEY, last integer NOT NULL);
CREATE TABLE storage (id integer PRIMARY KEY AUTOINCREMENT, kind text, export bool, number integer,
  project_id integer REFERENCES project ON DELETE CASCADE, status text, fields text, created_at
  datetime);
CREATE TABLE storage_link (storage_id integer REFERENCES storage ON DELETE CASCADE, task_id integer
  REFERENCES task ON DELETE CASCADE, "key" text);
CREATE INDEX link_task ON storage_link (task_id);
CREATE INDEX link_key ON storage_link (storage_id, "key");
CREATE TABLE export_link (storage_id integer REFERENCES storage ON DELETE CASCADE, annotation_id
  integer REFERENCES annotation ON DELETE CASCADE, PRIMARY KEY (storage_id, annotation_id));
CREATE TABLE ml_backend (id integer PRIMARY KEY AUTOINCREMENT, project_id integer REFERENCES project
  ON DELETE CASCADE, state text, is_interactive bool, url text, error_message text, title text,
  auth_method text, basic_auth_user text, basic_auth_pass text, description text, extra_params text,
  model_version text, timeout real, auto_update bool, created_at datetime, updated_at datetime);
CREATE TABLE webhook (id integer PRIMARY KEY AUTOINCREMENT, project_id integer REFERENCES project ON
  DELETE CASCADE, url text, send_payload bool, send_for_all_actions bool, headers text, is_active
  bool, created_at datetime, updated_at datetime);
CREATE TABLE webhook_action (webhook_id integer REFERENCES webhook ON DELETE CASCADE, action text,
  PRIMARY KEY (webhook_id, action)) WITHOUT ROWID;
"""
