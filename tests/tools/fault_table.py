"""The table of docs/faults.md: what can fail around a feed, what the gate does, what proves it.

``make faults`` writes the page; a test compares page, table and tests.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

_INTRODUCTION = """\
# What can break, and what the gate does

A feed never loses a batch. Whatever fails, at any instant: rows in are rows scored plus rows
rejected, each batch ends in one place with one final receipt for each version that scored it, no
reader ever sees half a file, and a batch that could not be scored has a reason and is tried again.

`make chaos` tests that: workers on feeds of forty mixed batches, one or two at a time, are killed
by SIGKILL at 300 random instants and at every checkpoint, while the model's alias moves back and
forth and a reader opens every file that appears. The table lists all other faults. Each test causes
its fault: small disks that are full or read-only, registries over HTTP that fail, producers that
rename over a batch between two writes.

Three decisions hold everywhere:

- **Broken machinery is never the batch's fault.** If a registry, a disk or a version is not
  available, the attempt is `errored`. It is tried again for as long as that lasts, and the batch is
  not parked.
- **Before the plan nothing is published; after it everything will be.** A batch is published by a
  plan that is written first. An attempt that ends before its plan is started anew; one that ends
  after it is completed, and the batch is not judged or scored again.
- **Links are not followed.** A symbolic link in the inbox, or in a delivered folder, points to what
  the gate does not own. Its batch stays where it is, and the run reports it. Nothing outside the
  feed's folders is read, moved or archived because of a link.
"""


class Fault(NamedTuple):
    """A row of the table.

    Attributes:
        what: What breaks.
        does: What the gate does.
        tests: Names of the test functions that prove it.
    """

    what: str
    does: str
    tests: tuple[str, ...]


FAULTS: dict[str, tuple[Fault, ...]] = {
    "Workers": (
        Fault(
            "A worker is killed, at any instant",
            "The next one clears or completes its work. Its claim is a lock that the kernel "
            "releases.",
            (
                "test_killed_again_and_again_a_feed_loses_nothing",
                "test_a_worker_that_is_killed_loses_nothing_and_doubles_nothing",
                "test_the_kernel_frees_the_claim_of_a_dead_worker",
            ),
        ),
        Fault(
            "A power cut leaves a lock file behind",
            "A claim is the lock and not the file: the file is reused, then removed.",
            ("test_the_lock_file_of_a_dead_worker_holds_nobody_up",),
        ),
        Fault(
            "Two workers run on one feed",
            "Each batch is scored by one of them, once.",
            (
                "test_two_workers_score_each_of_two_hundred_batches_once",
                "test_two_workers_share_a_feed",
                "test_a_claim_excludes_everybody_else",
            ),
        ),
        Fault(
            "A batch kills every worker",
            "It is tried last, so that the others are scored; after `max_attempts` deaths it is "
            "`errored` and parked.",
            (
                "test_the_batch_of_a_worker_that_keeps_dying_is_taken_last",
                "test_a_batch_that_kills_its_workers_is_parked",
            ),
        ),
        Fault(
            "A worker dies after a batch is quarantined and before an alert is sent",
            "The receipt is marked as untold before it is published; the next run finds the mark.",
            ("test_what_is_to_be_told_outlives_the_worker",),
        ),
        Fault(
            "A record is not UTF-8, or a folder, a pipe or a dangling link stands in its place",
            "That batch is `unfinished`, with a reason that names the record; the others go on.",
            ("test_one_record_that_cannot_be_read_stops_its_batch_only",),
        ),
        Fault(
            "A worker is killed after a batch was quarantined, before anybody was alerted",
            "The next run alerts: a mark beside the receipts stays until the alert is delivered or "
            "recorded as due, or the event is sent. An alert may come twice, never not at all.",
            (
                "test_an_alert_outlives_the_worker_that_was_killed_before_it",
                "test_a_batch_of_a_killed_worker_is_announced_by_the_next_run",
                "test_what_cannot_be_recorded_is_told_by_the_next_run",
            ),
        ),
        Fault(
            "A run ends by an error that nothing catches, or by `sys.exit` in a model's code",
            "The command exits with 3, and alerts about the batches that are done.",
            (
                "test_an_error_that_nothing_catches_exits_3",
                "test_a_run_that_breaks_alerts_about_what_it_did",
            ),
        ),
        Fault(
            "A killed worker had downloaded a model",
            "The next download removes it: the lock in its folder is free.",
            (
                "test_the_download_of_a_dead_worker_is_swept_and_that_of_a_living_one_is_not",
                "test_a_killed_worker_leaves_no_download_for_good",
            ),
        ),
        Fault(
            "The rules file is edited while batches are judged, or between crash and restart",
            "The intent holds the rules themselves: an attempt is finished by the rules that it "
            "started with.",
            (
                "test_rules_that_are_edited_between_crash_and_restart_do_not_judge_what_was_begun",
                "test_rules_that_are_edited_within_a_run_judge_none_of_its_batches",
            ),
        ),
        Fault(
            "Rules or params are invalid, or cannot be written as JSON",
            "The run ends with the reason before a batch is claimed.",
            (
                "test_rules_that_cannot_be_meant_touch_no_batch",
                "test_params_that_cannot_be_written_down_are_refused",
            ),
        ),
        Fault(
            "Params are NaN or infinite, which JSON does not know",
            "They survive a crash like any other number.",
            ("test_params_outlast_a_crash_whatever_numbers_they_are",),
        ),
        Fault(
            "The clock is set back, or clocks differ",
            "Receipts are ordered by their links to each other; no pause is longer than "
            "`max_backoff_seconds`.",
            (
                "test_a_clock_that_was_set_back_does_not_hold_a_batch_up_for_years",
                "test_a_small_step_back_keeps_the_pause",
                "test_receipts_are_read_in_the_order_in_which_they_follow_up_each_other",
                "test_a_stamp_in_the_future_is_reported_not_trusted",
            ),
        ),
    ),
    "Disks": (
        Fault(
            "One read fails, in a reader that takes it for broken content",
            "A verdict of `unreadable` is believed only if every byte can be read and a second "
            "look agrees: the batch is judged again, or `errored`.",
            ("test_one_failed_read_does_not_condemn_a_batch",),
        ),
        Fault(
            "Any one call on a file of the feed fails: open, read, write, sync, rename, link, stat "
            "or listing, with EIO, EACCES, ENOSPC or ESTALE",
            "The batch is scored all the same, or the attempt is `errored`; the next run completes "
            "it. In 957 failures over six formats no row was lost, doubled or condemned.",
            (
                "test_a_failing_call_delays_a_batch_and_no_more",
                "test_an_error_of_the_disk_is_never_the_fault_of_a_batch",
            ),
        ),
        Fault(
            "The disk fills up while a batch is scored",
            "`errored`, with the system's message; nothing is published and staging is cleared, so "
            "that smaller batches may pass.",
            (
                "test_a_disk_that_fills_up_while_a_batch_is_scored_loses_nothing",
                "test_a_disk_that_takes_no_more_loses_nothing",
            ),
        ),
        Fault(
            "The disk is full, even for a receipt",
            "Every batch stays where it is; the run reports it and ends as broken.",
            ("test_a_disk_without_any_room_leaves_every_batch_where_it_is",),
        ),
        Fault(
            "The disk is full only when the receipt, or the quarantine, is written",
            "The plan is written: later runs report the batch as unfinished, and complete it once "
            "there is space.",
            ("test_a_disk_that_is_full_after_the_plan_stops_nothing_for_good",),
        ),
        Fault(
            "The folder of predictions is read-only",
            "Batches that fit are `errored`; batches that do not fit are quarantined.",
            ("test_a_folder_of_predictions_that_is_read_only_stops_only_what_is_scored",),
        ),
        Fault(
            "The inbox is read-only",
            "Batches that fit are scored in place; others are moved by the first run that can.",
            ("test_an_inbox_that_is_read_only_keeps_its_batches_and_is_scored",),
        ),
        Fault(
            "A batch may not be read, or the disk fails on it",
            "It is left as `inaccessible` with the cause, the run ends as broken, and the others "
            "are scored.",
            (
                "test_a_batch_that_may_not_be_read_stops_no_other_and_is_not_passed_over",
                "test_a_disk_that_breaks_off_is_not_taken_for_a_bad_batch",
            ),
        ),
        Fault(
            "Any one call on a file of a batch fails, in over 500 injections of EIO, EACCES and "
            "ESTALE over every format",
            "`BatchUnavailable`, or the batch passes all the same: never a verdict against it.",
            ("test_an_error_of_the_disk_is_never_the_fault_of_a_batch",),
        ),
        Fault(
            "A move to another disk is interrupted",
            "The copy has a hidden name until it is whole; what is left of the original is no "
            "second batch.",
            (
                "test_a_removal_that_breaks_off_leaves_no_second_batch",
                "test_a_move_between_disks_is_whole_or_not_there",
            ),
        ),
        Fault(
            "Thousands of scored batches stay in the inbox",
            "Of their receipts only the field `final` is parsed.",
            ("test_of_batches_that_are_done_no_more_is_read_than_that_they_are",),
        ),
    ),
    "Registries and models": (
        Fault(
            "The registry is down, silent, answers 500 or garbage",
            "The run ends within the timeout and reports address and answer; no batch is touched.",
            (
                "test_a_registry_that_is_not_well_touches_no_batch",
                "test_a_registry_that_is_down_touches_no_batch",
            ),
        ),
        Fault(
            "The registry fails between judging and scoring",
            "`errored`, not counted against the batch, scored when the registry answers.",
            ("test_a_registry_that_falls_ill_before_the_model_is_fetched_loses_no_batch",),
        ),
        Fault(
            "The alias moves between judging and scoring",
            "The version that judged scores: the alias is resolved once for a run.",
            ("test_an_alias_that_moves_within_a_run_changes_nothing_in_it",),
        ),
        Fault(
            "The alias moves between crash and restart",
            "An attempt is finished by the version that started it.",
            (
                "test_an_alias_that_moves_between_crash_and_restart_does_not_mix_versions",
                "test_recovery_keeps_to_the_version_that_judged",
            ),
        ),
        Fault(
            "The signature under a registered version is altered after it judged",
            "Nothing is scored: `ContractChanged`; the next attempt judges by the new signature.",
            (
                "test_a_version_that_changes_between_judging_and_scoring_scores_nothing",
                "test_a_version_that_changes_between_crash_and_restart_scores_nothing",
            ),
        ),
        Fault(
            "The version is deleted after it judged",
            "Nothing is scored: `ModelNotFound`; the next attempt resolves the alias anew.",
            (
                "test_a_version_that_changes_between_judging_and_scoring_scores_nothing",
                "test_a_version_that_changes_between_crash_and_restart_scores_nothing",
            ),
        ),
        Fault(
            "The model raises",
            "`errored`, with the model's message; tried again after a pause, parked after "
            "`max_attempts`.",
            ("test_a_model_that_raises_quarantines_nothing",),
        ),
        Fault(
            "The model calls `sys.exit`, raises KeyboardInterrupt, or a library in it panics",
            "`errored` like any error of the model; the other batches go on. A real Ctrl-C ends "
            "the run, and the batch stays.",
            (
                "test_whatever_a_model_raises_is_its_batches_error",
                "test_a_real_interrupt_ends_the_run",
            ),
        ),
        Fault(
            "The model hangs, or ends its process",
            "With `predict_timeout` it runs in a process of its own: `errored`, and the others go "
            "on.",
            ("test_a_model_that_hangs_or_dies_is_ended_where_the_feed_says_so",),
        ),
    ),
    "Producers and inboxes": (
        Fault(
            "A file grows, or changes, while it is judged",
            "Nothing is published; the whole file is a new batch.",
            (
                "test_a_file_that_grows_while_it_is_judged_is_judged_anew",
                "test_a_batch_that_was_altered_meanwhile_is_not_published",
            ),
        ),
        Fault(
            "A producer renames a new file over a batch, at any moment",
            "Each delivery is judged by itself; one that was moved by mistake, in the instant of "
            "the move, is returned to the inbox.",
            (
                "test_a_batch_that_is_renamed_over_at_any_moment_is_scored_too",
                "test_a_batch_that_is_replaced_within_the_move_is_given_back",
                "test_what_is_given_back_never_overwrites_a_still_later_delivery",
                "test_recovery_does_not_quarantine_what_came_after",
            ),
        ),
        Fault(
            "A producer delivers the same content again: a retry, a touch, a restored backup",
            "It is done: nothing is scored. Under another name it is a new batch that names the "
            "first; `on_duplicate: skip` leaves it alone.",
            (
                "test_the_same_content_delivered_again_is_done",
                "test_the_same_content_under_another_name_is_named_or_skipped",
                "test_no_batch_that_was_done_before_the_upgrade_is_scored_again",
            ),
        ),
        Fault(
            "A batch is edited in the middle, its size and stamp kept; a folder grows after it was "
            "scored",
            "The edit is seen before anything is published. A folder that grew is a new batch, "
            "whose receipt and predictions name the one that it supersedes.",
            (
                "test_an_edit_in_the_middle_is_seen_with_size_and_stamp_kept",
                "test_what_changes_under_one_name_says_what_it_supersedes",
            ),
        ),
        Fault(
            "A job or an uploader still writes into a folder",
            "`unsettled` while it holds `_temporary` or a name such as `x.part`, `x.filepart`, "
            "`x.crdownload`, `x.tmp` or `x~`; with `require_marker: true`, until a marker exists.",
            (
                "test_a_folder_that_is_still_written_is_not_ready",
                "test_a_marker_can_be_required",
            ),
        ),
        Fault(
            "Checksums, manifests and other files lie beside the data",
            "`ignored`, and counted: no format claims their names. `include` and `exclude` say it "
            "exactly. Data in formats that are not read is quarantined with the reason.",
            (
                "test_files_that_no_format_claims_are_left_alone",
                "test_patterns_say_which_names_are_batches",
            ),
        ),
        Fault(
            "A feed names `/`, a home, a working tree, or folders within each other",
            "Refused before anything is moved. `score --dry-run` says what a run would do.",
            (
                "test_a_feed_refuses_folders_that_are_not_its_own",
                "test_two_feeds_must_not_share_folders",
                "test_a_dry_run_tells_what_would_happen_and_does_nothing",
            ),
        ),
        Fault(
            "A producer removes a batch while it is judged",
            "Before the plan nothing is published; after it the predictions are, and the receipt "
            "says that the batch is gone.",
            ("test_a_batch_that_its_producer_takes_back_leaves_nothing_half_done",),
        ),
        Fault(
            "Links point out of the inbox, into it, in circles or nowhere",
            "Skipped with the reason, and never followed; what they point to stays untouched.",
            (
                "test_a_link_in_the_inbox_is_neither_followed_nor_moved",
                "test_a_file_that_becomes_a_link_while_it_is_judged_is_not_moved",
            ),
        ),
        Fault(
            "Names and paths with spaces, unicode, line breaks, `..` or options",
            "Scored like any other; all names that the gate writes are plain and within the feed.",
            ("test_a_feed_may_lie_on_any_path", "test_no_name_leads_out_of_the_feed"),
        ),
        Fault(
            "One folder is configured under two names, by dots or by a link",
            "Refused; the feed's own folders are never read as batches.",
            (
                "test_one_folder_under_two_names_is_refused",
                "test_the_feeds_own_folders_are_no_batches_however_they_are_spelt",
            ),
        ),
    ),
    "Years": (
        Fault(
            "`prune` is killed, at any write",
            "Each receipt is in its file, in a ledger, or in both, and is read once. A folder that "
            "was to be removed is whole, or in staging, which the next run clears.",
            (
                "test_a_killed_compaction_loses_no_receipt",
                "test_a_killed_prune_leaves_no_half_folder",
            ),
        ),
        Fault(
            "`prune` of a feed in a store is killed, or an object is replaced meanwhile",
            "What is left of an entry the next `prune` removes; what is no longer what was listed "
            "stays.",
            (
                "test_after_a_kill_another_prune_ends_the_same",
                "test_what_changed_meanwhile_stays",
            ),
        ),
        Fault(
            "`prune` compacts the receipts of a feed that is scored meanwhile",
            "Nothing is scored twice, and each twin is known.",
            (
                "test_a_run_goes_on_while_receipts_are_compacted",
                "test_a_content_is_noted_though_its_folder_goes",
            ),
        ),
        Fault(
            "A ledger of receipts is damaged",
            "The feed stops, with an error that names the ledger; put it back from a backup.",
            ("test_a_damaged_ledger_stops_the_feed",),
        ),
        Fault(
            "A receipt is edited after it was compacted, or what lies there is no receipt",
            "The file stays, counts as the newer one, and is named by `prune`.",
            ("test_a_receipt_that_differs_from_its_ledger_stays",),
        ),
        Fault(
            "A feed's folder is lost, and restored from a copy",
            "What was done stays done, what was half done is ended; docs/restore.md has the steps.",
            (
                "test_a_feed_is_restored_from_its_folder",
                "test_a_feed_can_be_restored_elsewhere",
            ),
        ),
        Fault(
            "A provider of OpenTelemetry breaks",
            "The batch is scored, and nothing is measured.",
            ("test_a_broken_meter_stops_no_batch",),
        ),
    ),
    "Object stores": (
        Fault(
            "A worker dies at any step of a batch in a bucket",
            "Its lease ends by the store's clock; the next one removes what no receipt "
            "names, and does the batch.",
            ("test_after_a_death_at_any_point_each_row_is_there_once",),
        ),
        Fault(
            "Many workers come for one batch",
            "An object that is made only if it is absent lets one of them in.",
            ("test_of_sixteen_claimers_one_wins",),
        ),
        Fault(
            "A worker sleeps for longer than its lease",
            "It finds the number of its receipt taken, removes its uploads and publishes nothing.",
            ("test_a_worker_that_wakes_after_its_lease_publishes_nothing",),
        ),
        Fault(
            "A worker's clock is wrong by an hour",
            "Leases go by the store's clock.",
            ("test_leases_go_by_the_clock_of_the_store",),
        ),
        Fault(
            "The object of a lease has foreign content",
            "It ends as any lease does.",
            ("test_a_lease_of_foreign_content_ends_as_any_does",),
        ),
        Fault(
            "A batch is replaced while it is judged",
            "Nothing of it is published; the next run takes the new one.",
            (
                "test_a_batch_that_is_replaced_while_it_is_judged_is_a_batch_of_its_own",
                "test_a_later_delivery_under_the_same_name_is_a_batch_of_its_own",
            ),
        ),
        Fault(
            "The store answers 500 or 503, cuts an answer off, or hangs up",
            "The client asks again; if that does not help the attempt is `errored`, and "
            "is tried in the next run.",
            ("test_one_spoilt_answer_loses_and_doubles_nothing",),
        ),
        Fault(
            "Credentials expire within a run",
            "The attempt is `errored`; with fresh ones the next run goes on.",
            ("test_credentials_that_expire_within_a_run_lose_nothing",),
        ),
        Fault(
            "An upload is cut off",
            "Nobody sees its parts; let the bucket abort incomplete uploads.",
            ("test_an_upload_that_was_cut_off_is_no_object",),
        ),
        Fault(
            "A machine loses what it keeps of receipts",
            "It reads them anew from the store.",
            ("test_another_machine_knows_what_is_done",),
        ),
        Fault(
            "Many workers begin on a new machine at once, or die while they fetch what it keeps",
            "One makes the folder, and what is kept appears whole.",
            (
                "test_many_that_come_to_a_new_machine_at_once_know_what_is_done",
                "test_a_report_that_was_fetched_in_part_is_fetched_again",
            ),
        ),
    ),
    "Tables and databases": (
        Fault(
            "A worker dies while predictions or rejected rows are appended to tables",
            "They are appended in one transaction with the batch's name; the next one "
            "appends them, or finds them.",
            (
                "test_killed_at_any_write_each_row_is_there_once",
                "test_killed_between_two_tables_each_row_is_there_once",
                "test_killed_while_rows_are_sent_nothing_of_them_is_there",
                "test_predictions_are_appended_to_a_table_once",
            ),
        ),
        Fault(
            "A table takes no rows, or its server is down",
            "The batch waits until it does; nothing is appended twice.",
            (
                "test_a_table_that_takes_no_rows_holds_the_batch_back",
                "test_no_batch_is_touched_while_the_table_does_not_answer",
                "test_a_table_that_takes_no_rows_gets_them_in_the_next_run",
            ),
        ),
        Fault(
            "A worker dies over a version of a followed table",
            "The next one finishes it, and follows on.",
            (
                "test_a_worker_that_dies_over_a_version_doubles_nothing",
                "test_killed_before_it_is_noted_a_version_comes_once",
            ),
        ),
        Fault(
            "A worker dies over the rows above a mark of a followed table",
            "The range was written down before: the next one takes the same rows, once.",
            (
                "test_a_range_that_was_written_down_stays",
                "test_a_batch_that_was_made_is_not_made_again",
            ),
        ),
        Fault(
            "Rows of a followed table come late, below the mark",
            "They are in no batch; they are counted and told.",
            (
                "test_late_rows_and_those_without_a_mark_are_told",
                "test_each_row_is_delivered_or_told",
            ),
        ),
        Fault(
            "The largest value that a table is followed by is NaN or infinity",
            "It is refused, and nothing is delivered: each later row would be late.",
            ("test_a_value_after_which_nothing_comes_is_refused",),
        ),
        Fault(
            "Text that goes to PostgreSQL holds NUL, which its text cannot",
            "It is written as the mark ⟨U+0000⟩; the files keep it.",
            ("test_any_text_is_in_the_tables",),
        ),
        Fault(
            "Rows of a followed table are rewritten or deleted",
            "The version is named, and no row is scored again.",
            (
                "test_rows_that_were_rewritten_are_told_and_not_scored_again",
                "test_rows_deleted_by_position_are_told",
            ),
        ),
        Fault(
            "Snapshots of a followed Iceberg table expire before a run saw them",
            "They are told, and later ones go on.",
            (
                "test_snapshots_that_expired_unseen_are_told_once",
                "test_each_appended_row_comes_once_or_is_told",
            ),
        ),
        Fault(
            "A followed table is rolled back, or made anew under its name",
            "It is refused, with what to do; nothing is delivered meanwhile.",
            (
                "test_a_table_that_was_rolled_back_is_refused",
                "test_a_table_of_the_same_snapshots_is_another_one",
                "test_a_table_that_is_not_there_or_another_one_is_told",
            ),
        ),
        Fault(
            "A data file of a table is gone, or is another one",
            "Each is named, and no other version is judged.",
            (
                "test_a_vacuumed_file_is_named",
                "test_a_replaced_file_is_found_out_by_its_size",
                "test_a_file_that_is_gone_is_named",
            ),
        ),
        Fault(
            "A data file of a followed table is gone",
            "The feed's run ends in an error that says so; nothing is delivered or followed past.",
            (
                "test_a_version_whose_files_are_gone_is_an_error",
                "test_no_mark_passes_over_a_file_that_is_gone",
            ),
        ),
        Fault(
            "A data file of a table in a store is replaced or deleted after the verdict",
            "It was pinned when the table was opened: no row of another one is handed over.",
            ("test_a_file_that_is_gone_or_another_one_after_the_verdict_is_told",),
        ),
        Fault(
            "The store of a table fails or denies at any request of a check",
            "That is an error of the store's, never a verdict.",
            (
                "test_a_store_that_fails_at_any_request_is_no_verdict",
                "test_a_store_that_fails_after_the_verdict_is_told_as_such",
            ),
        ),
        Fault(
            "The store's answer to an append is lost, or cut off",
            "The commit was made under a condition, with a note: it is found, or made once.",
            (
                "test_a_spoilt_answer_of_a_store_doubles_and_loses_nothing",
                "test_rows_are_never_committed_without_a_condition",
            ),
        ),
        Fault(
            "Statistics of a table's log lie",
            "The batch is not as it was judged: no row is handed over.",
            ("test_a_log_that_lies_is_found_out_before_a_row_is_handed_over",),
        ),
        Fault(
            "A database breaks off in the middle of a query",
            "The batch could not be read: half of its rows are no batch.",
            ("test_a_connection_that_is_lost_in_the_middle_is_machinery",),
        ),
    ),
    "The tests themselves": (
        Fault(
            "A test that cannot fail proves nothing",
            "The checks and the reader of `make chaos` report each kind of loss that is planted.",
            (
                "test_the_books_find_what_is_missing_or_too_much",
                "test_the_reader_sees_what_is_not_whole",
            ),
        ),
    ),
}


def page() -> str:
    """Write the page.

    Returns:
        Markdown, with the table in the order of ``FAULTS``.
    """
    parts = [_INTRODUCTION]
    for title, faults in FAULTS.items():
        rows = [f"| {f.what} | {f.does} | {_listed(f.tests)} |" for f in faults]
        head = ["| when | the gate | proven by |", "|---|---|---|"]
        parts.append("\n".join([f"## {title}\n", *head, *rows, ""]))
    return "\n".join(parts)


def _listed(tests: tuple[str, ...]) -> str:
    return "<br>".join(f"`{test}`" for test in tests)


if __name__ == "__main__":
    sys.stdout.write(page())
