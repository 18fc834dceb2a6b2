//! Features and known flaws of hand-written upload services, each with the tests that cover it.
//!
//! A row is one feature or flaw. [`ELSEWHERE`] lists rows whose tests are no Rust.

use std::path::Path;

/// Number, description, and the tests that cover it: `file::test`.
type Row = (u8, &'static str, &'static [&'static str]);

#[rustfmt::skip]
const ROWS: &[Row] = &[
    (1, "init answers with an id, a part size and a count", &[
        "tests/it/declared.rs::create_answers_with_the_parts_that_fit"]),
    (2, "the status of an upload is kept, also over a restart", &[
        "tests/it/declared.rs::a_declaration_survives_a_restart",
        "tests/it/kill.rs::a_kill_loses_nothing_that_was_acknowledged"]),
    (3, "a part is visible when it is durable, and only then", &[
        "tests/it/kill.rs::a_kill_loses_nothing_that_was_acknowledged",
        "tests/it/payloads/corruption.rs::a_corrupted_body_is_refused_and_leaves_nothing"]),
    (4, "merge verifies that all parts are there", &[
        "tests/it/declared.rs::complete_refuses_gaps_and_says_what_is_missing",
        "tests/it/declared.rs::complete_takes_the_whole_file"]),
    (6, "a repeated merge gets the same answer", &[
        "tests/it/ops/complete_multipart_upload.rs::a_repetition_gets_the_same_answer",
        "tests/it/declared/digests.rs::a_wrong_part_can_be_sent_again"]),
    (7, "parts in any order, at the same time", &[
        "src/store/tests/model.rs::random_verbs_answer_as_the_model_does",
        "tests/it/pause.rs::fifty_connections_all_wait_and_a_resume_wakes_them_at_once"]),
    (8, "resume: what is there, and what is missing", &[
        "tests/it/ops/list_parts.rs::lists_the_parts_that_arrived",
        "tests/it/ops/list_multipart_uploads.rs::by_key_and_then_by_time",
        "tests/it/ops/uploads/get_upload_blocks.rs::missing_runs_are_merged_and_sorted"]),
    (10, "parts of 5 MiB, 10,000 of them", &[
        "src/store/tests/complete.rs::ten_thousand_parts_are_joined_and_dropped_without_holding_the_writer",
        "tests/it/declared.rs::a_malformed_declaration_is_refused_by_its_name",
        "tests/it/limits.rs::numbers_of_parts"]),
    (11, "each part's hash is verified", &[
        "tests/it/ops/upload_part.rs::unverified_bodies_are_not_stored",
        "tests/it/checksums.rs::in_a_header_or_a_trailer_of_an_object_or_a_part"]),
    (12, "no byte is padded or lost, whatever the rhythm", &[
        "tests/it/payloads.rs::every_payload_in_every_framing_and_write_pattern",
        "tests/it/declared.rs::a_body_of_unknown_length_is_checked_at_its_end"]),
    (13, "complete looks at every listed part", &[
        "tests/it/ops/complete_multipart_upload.rs::bad_lists_are_refused_and_the_upload_survives"]),
    (14, "ids cannot be guessed, and an id alone opens nothing", &[
        "src/types/id.rs::an_id_does_not_predict_the_next",
        "tests/it/isolation.rs::strangers_are_denied_and_change_nothing"]),
    (15, "ids and numbers never become paths", &[
        "tests/it/ops/upload_part.rs::ids_that_look_like_paths_are_refused",
        "tests/it/ops/upload_part.rs::numbers_and_ids_are_checked"]),
    (16, "two writers of one part: one of them wins, wholly", &[
        "tests/it/ops/upload_part.rs::of_two_senders_of_one_part_the_one_that_ends_last_wins_wholly",
        "tests/it/ops/upload_part.rs::the_same_number_replaces_the_part",
        "src/store/tests/races.rs::a_part_replaced_during_complete_is_seen_or_refused_never_mixed"]),
    (18, "everything that a resume needs, the check of the whole included", &[
        "tests/it/declared/digests.rs::right_digests_publish_and_wrong_ones_do_not",
        "tests/it/declared/digests.rs::a_part_that_changes_during_the_reading_is_not_published_unread"]),
    (19, "the same file is the same task", &[
        "tests/it/declared/resume.rs::the_same_file_is_the_same_upload_also_after_a_restart",
        "tests/it/declared/resume.rs::of_many_creates_at_once_one_makes_the_upload",
        "tests/it/declared/resume.rs::after_the_end_there_is_a_new_upload"]),
    (20, "a task is not shared with strangers, nor with other settings", &[
        "tests/it/declared/resume.rs::another_key_bucket_or_principal_is_another_upload",
        "tests/it/declared/resume.rs::any_other_setting_is_another_upload"]),
    (21, "name and type are kept", &[
        "tests/it/ops/create_multipart_upload.rs::fixes_the_headers_of_the_object"]),
    (24, "not only one part after the other", &[
        "tests/it/declared.rs::a_part_has_the_bytes_of_its_number"]),
    (25, "a client, a business server and this server have each their part", &[
        "tests/it/grants.rs::a_browser_sends_a_file_with_nothing_but_the_urls",
        "tests/it/grants.rs::a_grant_needs_the_right_to_put"]),
    (26, "a business server asks for a task with its own key", &[
        "tests/it/grants.rs::only_a_signed_header_and_a_signed_body_count",
        "tests/it/grants.rs::refusals_name_the_wrong_field",
        "tests/it/grants.rs::the_same_file_is_the_same_upload"]),
    (27, "nobody names a path of the file system", &[
        "tests/it/grants.rs::refusals_name_the_wrong_field",
        "tests/it/grants.rs::a_grant_needs_the_right_to_put"]),
    (28, "the URLs of an upload can be presigned", &[
        "tests/it/grants.rs::a_browser_sends_a_file_with_nothing_but_the_urls",
        "tests/it/grants.rs::the_parts_come_in_pages",
        "tests/it/ops/uploads/get_upload_blocks.rs::a_url_for_it_can_be_presigned"]),
    (29, "the offsets of a block are verified", &[
        "tests/it/declared.rs::content_range_says_the_same_as_the_number",
        "src/ops/uploads/declared.rs::a_content_range_names_a_part_or_says_why_not"]),
    (30, "the server says which block it wants", &[
        "tests/it/declared.rs::a_part_has_the_bytes_of_its_number",
        "tests/it/declared.rs::a_part_that_cannot_fit_is_refused_before_its_body"]),
    // Each client for a minute, over http and TLS: tests/clients/run --check pause
    (31, "pause, upload, cancel", &[
        "tests/it/pause.rs::requests_that_change_the_upload_wait_and_others_proceed",
        "tests/it/pause.rs::the_body_is_not_asked_for_during_a_pause",
        "tests/it/pause.rs::a_pause_survives_a_restart_and_a_create",
        "tests/it/ops/uploads/put_upload_state.rs::a_cancel_ends_it_for_all",
        "tests/clients/clients/boto3_sdk.py::pause",
        "tests/clients/clients/aws_cli.py::pause",
        "tests/clients/clients/rclone.py::pause",
        "tests/clients/clients/aws_sdk_js.mjs::pause"]),
    (32, "total size, status, expected blocks", &[
        "tests/it/ops/uploads/get_upload_blocks.rs::missing_runs_are_merged_and_sorted",
        "tests/it/ops/uploads/get_upload_blocks.rs::pages_are_of_runs",
        "tests/it/ops/uploads/get_upload_state.rs::the_document_is_as_its_schema_says"]),
    (37, "a URL of a task bears a signature, bounds and an end", &[
        "tests/it/grants.rs::a_url_is_good_for_one_request_alone",
        "tests/it/grants.rs::urls_end_with_their_lifetime_and_with_their_key",
        "tests/it/bounds.rs::the_bound_cannot_be_left_out_or_changed"]),
    (40, "the answer to a part names the next one", &[
        "tests/it/declared.rs::a_part_has_the_bytes_of_its_number",
        "src/store/tests/declared.rs::the_lowest_missing_part_is_told_with_each_part"]),
    (41, "merge by id", &[
        "tests/it/ops/complete_multipart_upload.rs::joins_the_listed_parts"]),
    (45, "every document is as its schema says", &[
        "tests/it/ops/uploads/get_upload_state.rs::the_document_is_as_its_schema_says",
        "tests/it/ops/uploads/get_upload_blocks.rs::without_a_declared_size_only_gaps_between_parts_are_known",
        "tests/it/ops/uploads/compare_upload_blocks.rs::what_differs_counts_as_missing",
        "tests/it/grants.rs::a_browser_sends_a_file_with_nothing_but_the_urls",
        "tests/it/grants.rs::the_parts_come_in_pages",
        "tests/it/grants.rs::refusals_name_the_wrong_field",
        "tests/it/progress.rs::an_upload_shows_how_far_it_is",
        "tests/it/progress.rs::an_upload_is_paused_resumed_extended_and_cancelled",
        "tests/it/progress.rs::a_clean_up_ends_only_what_is_idle_and_only_when_told",
        "tests/it/instant/proof.rs::a_client_that_has_the_file_need_not_send_it",
        "tests/it/events/content.rs::events_are_delivered_with_a_valid_signature",
        "tests/it/uploads_features.rs::every_schema_is_held_against_documents"]),
    (46, "what nobody ends is cleaned up, and says when", &[
        "tests/it/declared.rs::an_upload_tells_when_it_ends_by_itself",
        "src/store/tests/nouns.rs::idle_uploads_expire_and_active_ones_do_not",
        "src/store/tests/declared.rs::a_paused_upload_outlives_idleness_but_not_its_cap",
        "tests/it/events/unreliable_target.rs::no_event_is_lost_and_order_is_kept_through_kills_and_an_unreliable_target",
        "tests/it/progress.rs::a_clean_up_ends_only_what_is_idle_and_only_when_told"]),
    (5, "a content is stored once, and objects refer to it", &[
        "src/store/tests/instant.rs::the_same_bytes_are_one_file",
        "src/store/tests/instant.rs::dead_content_is_found_by_nobody",
        "src/store/tests/instant.rs::a_take_and_a_delete_have_an_order"]),
    (38, "hash first: the file is there, or is resumed, or is new", &[
        "tests/it/declared/resume.rs::the_same_file_is_the_same_upload_also_after_a_restart",
        "tests/it/instant/create.rs::an_object_of_one_blob_is_one_part",
        "tests/it/instant/create.rs::a_multipart_object_keeps_its_parts_and_its_tag",
        "tests/it/instant/expect.rs::a_known_body_is_never_asked_for",
        "tests/it/instant/delta.rs::only_what_changed_is_missing",
        "src/store/tests/instant.rs::a_deduplicated_upload_costs_the_same_for_any_number_of_parts"]),
    (39, "a hash gives no file: SHA-256 and size, and only what one may read", &[
        "tests/it/instant/attacks.rs::the_hash_of_anothers_file_gives_nothing",
        "tests/it/instant/attacks.rs::a_deputy_narrows_what_it_may_find",
        "tests/it/instant/attacks.rs::parts_of_own_uploads_are_narrowed_too",
        "tests/it/instant/attacks.rs::a_found_upload_is_authorized_again",
        "tests/it/instant/attacks.rs::a_miss_tells_nothing",
        "src/store/tests/instant_search.rs::nobody_is_told_apart_by_the_lookups",
        "tests/it/instant/attacks.rs::an_instant_object_counts_in_full",
        "tests/it/instant/attacks.rs::a_forged_size_is_a_miss",
        "tests/it/instant/expect.rs::every_named_digest_is_compared",
        "tests/it/instant/attacks.rs::a_presigned_url_gives_nothing",
        "tests/it/instant/attacks.rs::an_anonymous_request_gets_nothing",
        "src/store/tests/instant.rs::an_unlisted_part_is_no_candidate",
        "tests/it/instant/proof.rs::a_client_that_has_the_file_need_not_send_it",
        "tests/it/instant/proof.rs::a_part_of_the_file_proves_nothing",
        "tests/it/instant/create.rs::a_repeated_complete_publishes_once"]),
    (17, "no error is passed over", &[
        "tests/it/tidy/sizes.rs::nothing_is_left_unfinished",
        "src/store/blobs/tests/lifecycle.rs::a_failed_sync_is_final",
        "src/store/tests/faults.rs::a_full_database_fails_the_one_job_and_keeps_the_others_of_the_batch"]),
    (33, "the business server is told, and its own words come back", &[
        "tests/it/events/content.rs::events_are_delivered_with_a_valid_signature",
        "src/store/tests/events.rs::what_changes_is_recorded_and_what_does_not_is_not"]),
    (34, "what it does not take is sent again, and failures are told too", &[
        "tests/it/events/unreliable_target.rs::no_event_is_lost_and_order_is_kept_through_kills_and_an_unreliable_target",
        "tests/it/events/attempts.rs::a_failed_delivery_is_sent_again_under_the_same_id_and_later_ones_wait",
        "tests/it/events/content.rs::upload_events_go_to_targets_that_name_them",
        "src/store/tests/events.rs::the_turns_of_a_shared_upload_are_told"]),
    (35, "many targets, each with its own key, chosen by bucket", &[
        "tests/it/events/hostile_targets.rs::a_target_that_hangs_or_answers_endlessly_delays_no_other",
        "tests/it/events/cli.rs::an_invalid_target_prevents_the_start"]),
    (42, "a plain HTML form is enough for a small file", &[
        "tests/it/ops/post_object.rs::stores_the_file_with_what_the_fields_say",
        "tests/it/ops/post_object.rs::the_file_is_as_long_as_the_policy_allows",
        "tests/it/ops/post_object.rs::the_policy_covers_every_field",
        "tests/it/forms.rs::a_file_is_what_was_sent",
        "tests/it/instant/attacks.rs::a_form_gives_nothing",
        "tests/clients/clients/boto3_sdk.py::form"]),
    (43, "a transfer ends when it stalls, not when it is long", &[
        "src/server/tests.rs::a_body_that_stalls_fails_and_a_slow_handler_does_not",
        "src/server/tests.rs::a_client_that_reads_no_answer_is_cut"]),
    (44, "what was uploaded can be read, in ranges too", &[
        "tests/it/ops/get_object.rs::ranges_and_parts_of_a_multipart_object",
        "tests/it/ops/get_object.rs::a_signed_request_may_override_headers"]),
];

/// Rows of the browser page (checked in Chromium by `tests/browser/checks/upload_page.mjs`), and of
/// the container (`tests/deploy`).
const ELSEWHERE: &[u8] = &[9, 22, 23, 36];

const ROWS_MAX: u8 = 46;

#[test]
fn no_row_is_missing() {
    let mut numbers: Vec<u8> = ROWS.iter().map(|(number, ..)| *number).collect();
    numbers.extend(ELSEWHERE);
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=ROWS_MAX).collect::<Vec<_>>());
}

/// Every schema is used by a test and linked from a page.
#[test]
fn every_schema_is_held_against_documents() {
    fn texts(folder: &Path, all: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            match entry.path() {
                path if path.is_dir() => texts(&path, all),
                path if path.ends_with("uploads_features.rs") => {}
                path if path.extension().is_none_or(|extension| extension != "rs") => {}
                path => all.push_str(&std::fs::read_to_string(path).unwrap()),
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut tests = String::new();
    texts(&root.join("tests/it"), &mut tests);
    tests.push_str(&std::fs::read_to_string(root.join("src/admin/tests.rs")).unwrap());
    let pages = std::fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages: String = pages
        .filter(|path| path.is_file())
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    for entry in std::fs::read_dir(root.join("docs/schemas")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(tests.contains(&format!("\"{name}\"")), "{name}.json");
        assert!(pages.contains(&format!("](schemas/{name}.json)")), "no page names {name}.json");
    }
}

#[test]
fn every_named_test_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut lost = Vec::new();
    for (number, about, tests) in ROWS {
        assert!(!tests.is_empty(), "{number}: {about}");
        for name in *tests {
            let (file, test) = name.split_once("::").expect("a file and a test");
            let text = std::fs::read_to_string(root.join(file)).unwrap_or_default();
            let is_there = match file.rsplit_once('.') {
                Some((_, "py")) => text.contains(&format!("\ndef {test}(ctx):")),
                Some((_, "mjs")) => text.contains(&format!("\n    async {test}() {{")),
                _ => {
                    let lines: Vec<&str> = text.lines().map(str::trim).collect();
                    lines.windows(2).any(|pair| {
                        pair[0].ends_with("test]") && pair[1].contains(&format!("fn {test}("))
                    })
                }
            };
            if !is_there {
                lost.push(format!("{number}, {about}: {name}"));
            }
        }
    }
    assert!(lost.is_empty(), "{lost:#?}");
}
