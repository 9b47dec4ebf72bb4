//! What every backend of the NIB does: one suite, run on each of them.

#[path = "nib_contract/backends.rs"]
mod backends;
#[path = "nib_contract/batches.rs"]
mod batches;
#[path = "nib_contract/commits.rs"]
mod commits;
#[path = "nib_contract/counters.rs"]
mod counters;
#[path = "nib_contract/devices.rs"]
mod devices;
#[path = "nib_contract/events.rs"]
mod events;
#[path = "nib_contract/facts.rs"]
mod facts;
#[path = "nib_contract/log.rs"]
mod log;
#[path = "nib_contract/members.rs"]
mod members;
#[path = "nib_contract/policies.rs"]
mod policies;
#[path = "nib_contract/registry.rs"]
mod registry;
#[path = "nib_contract/samples.rs"]
mod samples;
#[path = "nib_contract/sealers.rs"]
mod sealers;
#[path = "nib_contract/sequences.rs"]
mod sequences;
#[path = "nib_contract/streams.rs"]
mod streams;

/// Makes a test of each case for each backend; a case that is not listed is dead code, which the
/// compiler tells.
macro_rules! contract {
    ($($part:ident: $($case:ident),+;)+) => {
        contract!(@on memory: $($part: $($case),+;)+);
        contract!(@on sqlite: $($part: $($case),+;)+);
    };
    (@on $backend:ident: $($part:ident: $($case:ident),+;)+) => {
        mod $backend {
            $($(
                #[test]
                fn $case() {
                    crate::$part::$case(crate::backends::$backend());
                }
            )+)+
        }
    };
}

contract! {
    devices:
        an_inserted_device_is_read_back_in_full,
        a_device_of_which_nothing_is_known_is_read_back,
        a_device_that_is_not_there_is_none,
        an_update_replaces_the_row_and_counts_its_version,
        versions_are_counted_within_a_commit_too,
        a_stale_update_is_a_conflict,
        an_update_from_a_version_that_never_was_is_a_conflict,
        an_update_of_an_unknown_device_is_not_found,
        an_insert_with_a_later_version_is_refused,
        a_number_is_given_once,
        a_number_that_was_left_out_is_used_up,
        the_next_number_follows_the_highest_and_a_failed_insert_uses_none,
        numbers_out_of_range_are_refused,
        two_devices_cannot_have_one_mac,
        an_update_to_the_mac_of_another_is_a_conflict,
        a_stale_update_to_the_mac_of_another_is_stale_first,
        a_mac_can_move_to_another_device_within_a_commit,
        devices_without_a_mac_do_not_collide,
        a_device_is_found_by_the_mac_that_it_has_now,
        a_touch_changes_the_sighting_and_nothing_else,
        a_stale_touch_is_a_conflict,
        pages_of_every_size_meet_without_gap_or_overlap,
        a_page_begins_after_any_number,
        a_page_of_one_status_is_filled_with_that_status,
        a_limit_may_be_nothing_or_everything,
        devices_are_counted_by_status,
        an_address_is_matched_whole,
        an_address_in_dispute_has_all_its_devices,
        addresses_that_are_not_ascending_are_refused,
        a_device_that_is_removed_is_gone_with_its_facts_and_its_number_stays_used,
        a_device_is_removed_from_its_version_only,
        any_text_is_kept_as_it_is,
        the_largest_and_smallest_numbers_are_kept,
        a_round_trip_of_centuries_is_refused;
    facts:
        facts_of_every_kind_are_read_back_in_the_order_of_the_kinds,
        a_newer_fact_replaces,
        an_older_fact_changes_nothing_and_does_not_fail,
        a_fact_of_the_same_time_replaces,
        a_fact_does_not_change_its_device,
        sources_are_kept_apart_whatever_their_text,
        a_fact_of_a_device_of_the_same_commit_is_taken,
        a_fact_before_its_device_is_refused,
        a_fact_of_an_unknown_device_is_refused_with_all_around_it,
        facts_of_a_range_come_by_device,
        which_facts_there_are_is_told_without_their_values,
        a_fact_may_be_of_any_time;
    counters:
        counters_are_read_back_to_the_last_bit,
        of_a_device_the_last_reading_is_kept_and_no_other,
        counters_of_an_unknown_device_are_refused_with_all_around_them,
        counters_of_no_interface_or_out_of_order_are_refused,
        counters_go_with_their_device_and_come_back_with_it,
        counters_change_no_version_and_no_event,
        ten_thousand_interfaces_are_counted_in_a_commit;
    events:
        a_new_nib_tells_that_it_was_made,
        events_take_their_places_in_the_order_of_the_list,
        a_failed_commit_leaves_no_gap,
        a_page_of_events_begins_anywhere,
        events_are_asked_for_by_type,
        events_are_asked_for_by_subject,
        events_are_asked_for_by_time,
        filters_narrow_each_other_before_the_limit,
        the_newest_event_of_a_type_is_the_one_with_the_highest_position,
        a_payload_is_kept_to_the_last_digit,
        any_text_and_time_of_an_event_is_kept,
        a_payload_that_is_no_object_is_refused,
        a_payload_too_deep_to_be_read_again_is_refused,
        an_event_of_a_lost_race_is_not_written;
    commits:
        an_empty_commit_succeeds_and_changes_nothing,
        a_batch_of_no_commits_has_no_answers,
        a_failure_anywhere_in_the_list_leaves_nothing_of_it,
        the_first_change_that_fails_is_the_one_named,
        one_of_several_commits_fails_alone,
        several_commits_can_all_fail,
        a_number_of_a_failed_commit_is_free_for_the_next_of_the_batch,
        a_commit_sees_those_before_it_in_the_batch,
        ten_thousand_devices_and_events_fit_into_a_commit,
        ten_thousand_changes_are_taken_back_when_the_last_fails,
        every_reader_sees_what_has_returned,
        a_reader_beside_a_writer_sees_whole_commits,
        of_many_that_race_for_a_row_exactly_one_wins,
        of_many_that_race_for_a_number_exactly_one_wins,
        events_of_many_threads_have_a_place_each,
        a_reader_outlives_the_writer;
    registry:
        a_new_nib_knows_nobody,
        an_issued_token_is_read_back_and_its_id_is_given_once,
        a_token_with_a_past_or_for_no_tier_is_refused,
        wrong_proofs_are_counted_one_by_one,
        a_token_is_taken_back_once_and_only_unused,
        tokens_come_in_the_order_of_their_octets,
        an_admission_uses_the_token_and_the_numbers_and_writes_the_row,
        a_token_is_used_once_and_not_when_it_was_locked_or_taken_back,
        four_wrong_proofs_do_not_lock_a_token,
        an_admission_that_fails_leaves_nothing_of_it,
        what_no_registry_could_hold_is_no_admission,
        names_are_numbered_by_tier_and_region,
        two_regions_with_one_slug_cannot_both_exist,
        of_many_that_race_with_one_token_exactly_one_is_admitted,
        of_many_that_race_for_a_name_exactly_one_gets_it,
        a_controller_is_updated_from_its_version,
        a_next_certificate_has_the_next_number_and_becomes_the_present_one,
        a_next_certificate_may_be_replaced_by_one_with_the_next_number,
        a_certificate_from_nowhere_is_not_taken,
        a_key_belongs_to_one_controller,
        the_origin_of_a_controller_never_changes,
        controllers_come_by_pages_in_the_order_of_their_names,
        controllers_are_counted_unless_they_are_revoked,
        the_blocklist_is_a_set_with_reasons,
        the_membership_is_one_row_that_is_written_from_its_version,
        what_nobody_can_be_is_no_membership,
        a_commit_sees_the_admissions_before_it_in_the_batch;
    streams:
        streams_begin_before_their_first_item,
        items_are_numbered_by_the_store_each_stream_by_itself,
        a_commit_that_fails_uses_no_number,
        the_items_of_all_batches_are_numbered_in_their_order_or_none_is,
        what_is_acknowledged_is_gone_and_its_number_used,
        an_old_or_impossible_acknowledgement_changes_nothing,
        a_discarded_stream_goes_on_with_its_numbers,
        a_page_of_the_outbox_begins_after_any_number,
        a_body_that_is_no_json_is_refused,
        a_thousand_long_items_fit_into_a_commit,
        an_item_is_received_once_and_in_order,
        a_stream_never_goes_back,
        of_many_that_race_to_apply_an_item_exactly_one_does,
        a_sighting_is_of_a_device_that_exists,
        a_device_that_somebody_below_told_of_cannot_be_removed,
        a_sighting_replaces_what_was_told_and_may_move,
        sightings_are_asked_for_by_device_and_by_reporter,
        a_snapshot_of_five_thousand_sightings_is_one_commit;
    policies:
        the_policy_with_the_highest_version_is_in_effect,
        a_version_that_is_not_higher_is_a_conflict,
        a_version_that_cannot_be_counted_is_refused,
        policies_come_by_pages,
        of_many_that_race_to_set_a_version_exactly_one_does;
    batches:
        batches_are_one_commit,
        a_later_batch_builds_upon_those_before_it,
        a_refusal_in_a_later_batch_undoes_all_and_stops_the_source,
        a_refusal_that_the_source_passes_over_stays_one,
        a_source_that_gives_up_leaves_nothing,
        a_panic_of_the_source_leaves_nothing,
        nobody_sees_a_batch_before_the_last,
        a_lost_race_is_a_conflict_in_whichever_batch;
    log:
        a_log_that_is_not_open_has_no_tree,
        an_event_is_sealed_in_its_commit,
        a_commit_without_events_leaves_the_tree,
        a_refused_commit_leaves_the_tree_as_it_was,
        the_events_of_all_batches_are_sealed_in_their_order_or_none_is,
        what_was_before_is_sealed_when_the_log_opens,
        what_is_stored_of_the_tree_is_that_of_one_built_anew,
        proofs_are_built_from_what_is_stored,
        a_long_payload_is_kept_beside,
        an_entry_is_found_by_its_id,
        an_event_that_no_log_takes_is_refused_with_its_commit,
        the_log_of_another_is_refused,
        a_log_goes_on_with_the_next_key,
        heads_follow_each_other,
        heads_of_several_logs_are_kept_apart,
        evidence_is_kept_in_its_order;
}
