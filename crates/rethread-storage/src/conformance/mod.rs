//! The suite that every adapter must pass.
//!
//! An adapter's test crate needs one line, with a function that makes an empty storage of at
//! least [`PARTITIONS`] partitions, whose inboxes hold [`INBOX_MAX`] messages, and whatever must
//! live as long as the test:
//!
//! ```text
//! async fn storage() -> (Arc<dyn Storage>, impl Any) { … }
//!
//! rethread_storage::conformance_suite!(storage);
//! ```
//!
//! It expands to one `#[tokio::test]` for each of [`CASES`]; the test crate needs tokio with
//! `macros` and `rt-multi-thread`. Cases take real time only where
//! they must (leases and heartbeats that expire), and wait for conditions, never for a time.

mod cache;
mod checkpoints;
mod commit;
mod deletion;
pub mod differential;
mod events;
pub mod history;
mod inbox;
mod items;
mod kit;
mod letters;
mod mail;
mod nodes;
mod operators;
mod ownership;
mod reclaim;
mod threads;
mod waiting;
mod withdrawal;
mod work;

use std::sync::Arc;
use std::time::Duration;

use crate::Storage;

/// Partitions that the cases use.
pub const PARTITIONS: u16 = 4;

/// The `inbox_max` that the storages of the cases are set to.
pub const INBOX_MAX: u64 = 3_000;

/// A case that is not done by then hangs.
const CASE_DEADLINE: Duration = Duration::from_secs(120);

/// Hands the list of all cases to the macro `$then`, behind the arguments in brackets.
#[doc(hidden)]
#[macro_export]
macro_rules! __with_conformance_cases {
    ($then:path, [$($args:tt)*]) => {
        $then! {
            [$($args)*]
            ownership {
                acquire_gives_a_free_partition
                a_new_partition_has_no_commit
                a_held_partition_names_its_holder
                an_expired_lease_can_be_taken
                the_same_node_acquires_again_and_fences_itself
                epochs_grow_and_nonces_differ
                renew_keeps_a_lease_alive
                renew_returns_what_is_lost
                renew_revives_an_expired_lease
                release_frees_at_once
                release_of_a_lost_lease_changes_nothing
                a_released_token_is_refused
                partitions_are_owned_one_by_one
                acquire_tells_the_last_commit
                an_unknown_partition_is_refused
            }
            nodes {
                announced_nodes_live_and_are_sorted
                a_silent_node_does_not_live
                a_node_lives_for_the_time_it_said_last
                a_withdrawn_node_does_not_live
                odd_nodes_are_kept_apart
            }
            inbox {
                an_empty_inbox_gives_nothing
                messages_come_in_order
                a_message_is_submitted_once
                an_op_id_counts_after_its_message_is_consumed
                op_ids_count_per_partition
                reading_goes_on_behind_a_cursor
                reading_stops_at_the_maximum
                unconsumed_messages_are_read_again
                a_commit_consumes_up_to_its_cursor
                a_commit_consumes_single_messages
                many_single_messages_are_consumed
                several_partitions_are_read_at_once
                inboxes_are_isolated
                a_waiting_reader_is_woken
                a_waiting_reader_gives_up
                a_waiting_reader_ignores_other_partitions
                messages_are_binary
                large_messages_survive
                concurrent_submits_are_all_kept_in_one_order
                a_full_inbox_refuses_new_messages
                a_full_inbox_takes_what_workers_hand_in
                a_full_inbox_has_room_again
            }
            commit {
                a_commit_counts
                a_fenced_commit_writes_nothing
                a_fenced_commit_consumes_nothing
                a_repeated_commit_has_one_effect
                a_skipped_number_is_a_rollback
                an_old_number_is_a_rollback
                a_refused_number_writes_nothing
                an_empty_commit_counts
                a_commit_writes_many_threads
                a_large_commit_is_whole
                partitions_count_their_own_commits
                concurrent_partitions_do_not_mix
            }
            threads {
                an_unknown_thread_is_none
                a_thread_without_a_header_is_none
                header_is_kept_and_replaced
                journal_appends_in_order
                journal_is_replaced
                journal_is_emptied
                journal_goes_on_after_a_replacement
                a_long_journal_keeps_its_order
                a_long_journal_is_replaced
                journal_entries_are_binary
                base_is_the_checkpoint_named_last
                the_last_event_is_remembered
                threads_are_isolated
                active_threads_are_listed_with_their_times
                parked_threads_are_not_listed
                activity_is_kept_when_not_written
                attached_handles_share_the_storage
            }
            waiting {
                waiting_commands_keep_their_order
                the_first_waiting_commands_are_dropped
                changes_of_what_waits_follow_each_other
                dropping_more_than_waits_drops_all
                one_waiting_command_is_removed_and_the_others_stay
                a_deletion_takes_what_waits
                what_waits_on_threads_is_kept_apart
                a_repeated_commit_changes_what_waits_once
                waiting_commands_are_binary
                a_thousand_commands_wait
            }
            checkpoints {
                a_checkpoint_is_read_by_its_id
                an_unknown_checkpoint_is_none
                a_checkpoint_is_replaced
                checkpoints_are_listed_newest_first
                a_list_starts_before_a_checkpoint
                a_list_stops_at_the_maximum
                checkpoints_of_threads_are_isolated
                checkpoints_are_binary
            }
            events {
                events_are_numbered_from_the_first
                events_are_read_in_pages
                events_of_several_commits_follow_each_other
                a_run_without_events_is_empty
                events_of_runs_are_isolated
                one_commit_writes_several_logs
                a_long_log_keeps_its_order
                an_ended_log_can_be_read
                a_watch_wakes
                a_watch_made_before_the_read_misses_nothing
                every_watch_wakes
                the_last_events_are_read_alone
                a_watch_of_the_end_wakes_at_the_end
                events_are_binary
            }
            work {
                an_order_is_fetched_once
                orders_come_oldest_first
                a_fetch_stops_at_the_maximum
                a_fetch_asks_its_own_queues_only
                a_fetch_asks_several_queues
                several_workers_share_a_queue
                a_waiting_fetch_is_woken
                a_waiting_fetch_gives_up
                the_first_fetch_counts_one
                orders_of_all_partitions_share_a_queue
                handed_in_messages_reach_the_inbox
                a_finished_order_is_gone
                a_second_hand_in_is_dropped_with_its_messages
                a_foreign_receipt_is_dropped_with_its_messages
                a_part_without_a_receipt_is_taken
                an_order_finishes_without_messages
                one_hand_in_serves_several_parts
                hand_in_wakes_a_reader
                queued_orders_are_what_is_not_finished
                queued_orders_are_listed_per_partition
                odd_names_are_kept_apart
                orders_are_binary
                concurrent_workers_do_each_order_once
            }
            withdrawal {
                queued_orders_tell_their_group
                a_withdrawn_order_is_not_fetched
                a_withdrawn_order_is_not_confirmed
                a_withdrawn_order_is_handed_in_without_effect
                a_withdrawn_order_is_not_reclaimed
                a_withdrawn_order_is_not_put_back
                an_order_that_was_put_back_is_withdrawn
                an_order_that_was_reclaimed_is_withdrawn
                orders_that_come_with_a_withdrawal_stay
                groups_of_partitions_are_kept_apart
                several_groups_are_withdrawn_at_once
                withdrawing_nothing_is_nothing
                a_refused_commit_withdraws_nothing
                thousands_of_orders_are_withdrawn
            }
            reclaim {
                orders_of_a_dead_worker_are_taken_over
                a_reclaimed_order_counts_one_more_fetch
                a_living_worker_keeps_its_orders
                a_worker_without_heartbeat_is_dead
                a_reclaim_stops_at_the_maximum
                a_reclaim_asks_its_own_queues_only
                a_worker_does_not_reclaim_from_itself
                a_dead_worker_that_wakes_hands_in_nothing
                retire_puts_orders_back_at_once
                a_fetch_that_is_handed_back_does_not_count
                retire_wakes_a_waiting_fetch
                a_retired_worker_hands_in_nothing
                retiring_an_unknown_worker_is_nothing
                an_assigned_order_is_confirmed
                a_finished_order_is_not_confirmed
                a_reclaimed_order_is_confirmed_to_its_heir
                a_retired_workers_orders_are_not_confirmed
            }
            letters {
                dead_letters_are_listed_in_order
                dead_letters_are_listed_in_pages
                a_removed_dead_letter_is_gone
                dead_letters_of_partitions_are_kept_apart
                a_repeated_commit_buries_once
                dead_letters_are_binary
                the_oldest_dead_letters_go_when_there_are_too_many
            }
            operators {
                a_header_is_read_by_itself
                threads_are_listed_with_their_headers
                many_threads_are_listed_in_pages
                workers_are_listed_with_what_they_say_of_themselves
                the_silence_of_a_worker_grows_until_it_is_heard
                a_retired_worker_is_not_listed
                descriptions_are_binary
                the_status_of_an_untouched_partition_is_empty
                the_status_names_the_owner_of_a_partition
                the_status_counts_what_is_in_a_partition
                the_status_tells_the_age_of_the_oldest_order
                orders_are_listed_with_their_workers
                looking_at_an_unknown_partition_is_refused
            }
            mail {
                mail_comes_in_order
                mail_of_another_worker_is_not_seen
                mail_to_nobody_is_no_error
                a_mailbox_is_opened_again
                a_full_mailbox_holds_up_nobody
                mail_is_binary
                mail_to_a_queue_reaches_its_workers
                mail_to_a_queue_and_to_a_worker_keeps_its_order
                mail_to_an_unserved_queue_is_no_error
                odd_queue_names_get_their_own_mail
                a_mailbox_that_is_opened_again_serves_its_new_queues
            }
            cache {
                a_missing_entry_is_vacant
                a_filled_entry_is_a_hit
                the_newest_value_stands
                others_wait_while_an_entry_is_filled
                the_holder_extends_its_time
                an_expired_hold_is_taken_over
                an_abandoned_entry_is_taken_at_once
                abandoning_what_another_holds_changes_nothing
                a_fill_by_another_ends_the_duty
                an_entry_expires
                a_refill_sets_the_time_anew
                odd_cache_keys_are_kept_apart
                a_group_is_cleared
                the_whole_cache_is_cleared
                a_clear_of_all_leaves_progress
                many_entries_are_cleared
                what_is_being_filled_is_filled_after_a_clear
                cached_values_are_binary
                one_of_many_askers_makes_a_value
                long_cache_keys_are_refused
            }
            items {
                an_item_is_put_and_read
                an_unknown_item_is_none
                an_item_is_replaced
                an_item_is_deleted
                an_item_expires
                an_item_that_is_put_anew_has_a_new_time
                an_item_is_touched
                touching_nothing_makes_nothing
                items_are_scanned_in_order
                a_scan_goes_on_behind_an_item
                a_scan_stops_at_the_maximum
                a_scan_steps_over_what_is_gone
                a_prefix_is_made_of_whole_labels
                odd_item_names_are_kept_apart
                namespaces_are_listed_once_and_sorted
                a_namespace_goes_with_its_last_item
                items_are_binary
                long_item_names_are_refused
                concurrent_puts_are_all_kept
            }
            deletion {
                a_deleted_thread_is_gone
                deleting_an_unknown_thread_is_nothing
                a_deletion_leaves_other_threads
                a_deletion_leaves_event_logs
                what_follows_a_deletion_in_its_write_stays
                a_deleted_thread_is_made_anew
                a_long_thread_is_deleted_and_made_anew
                a_refused_deletion_deletes_nothing
                dropped_checkpoints_are_gone
                a_dropped_checkpoint_is_written_again
                a_dropped_base_is_not_loaded
                a_dropped_base_that_is_written_again_is_not_the_base
                dropping_unknown_checkpoints_is_nothing
                many_checkpoints_are_dropped
            }
        }
    };
}

macro_rules! define_cases {
    ([] $($area:ident { $($case:ident)* })*) => {
        /// Names of all cases.
        pub const CASES: &[&str] = &[$($(stringify!($case),)*)*];

        /// Runs one case against an empty storage of its own.
        ///
        /// # Panics
        /// When the storage does not do what the case says, when the case hangs, and when there
        /// is no such case.
        pub async fn run(case: &str, storage: Arc<dyn Storage>) {
            assert!(storage.partitions() >= PARTITIONS, "cases need {PARTITIONS} partitions");
            let work: std::pin::Pin<Box<dyn Future<Output = ()> + Send>> = match case {
                $($(stringify!($case) => Box::pin($area::$case(storage)),)*)*
                _ => panic!("there is no case `{case}`"),
            };
            let in_time = tokio::time::timeout(CASE_DEADLINE, work).await;
            assert!(in_time.is_ok(), "`{case}` hangs");
        }
    };
}

__with_conformance_cases!(define_cases, []);

#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_tests {
    ([$make:expr] $($area:ident { $($case:ident)* })*) => {
        $($(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let (storage, guard) = ($make)().await;
                $crate::conformance::run(stringify!($case), storage).await;
                drop(guard);
            }
        )*)*
    };
}

/// Makes a test of each conformance case; `$make` is an async function without arguments that
/// returns an empty `Arc<dyn Storage>` and a guard that is dropped after the case.
#[macro_export]
macro_rules! conformance_suite {
    ($make:expr) => {
        $crate::__with_conformance_cases!($crate::__conformance_tests, [$make]);
    };
}
