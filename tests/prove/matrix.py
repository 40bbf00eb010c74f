"""Which fault is shown by which test or proof: every row of the matrix the project was built against.

A name with `::` is a test (`pytest FILE::NAME`), any other one a proof (`make prove ONLY=NAME`).
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Row:
    """One fault. `missing`: the part of it that concerns parts of the product that do not exist yet."""

    id: str
    fault: str
    shown_by: tuple[str, ...]
    missing: str = ""


CRASH = "tests/asterisk/test_crash.py::test_"
KIT = "tests/asterisk/test_faults.py::test_"
ARI = "tests/asterisk/faults/test_ari.py::test_"
PROCESS = "tests/asterisk/faults/test_process.py::test_"
CALLS = "tests/asterisk/faults/test_calls.py::test_"
AMI = "tests/asterisk/faults/test_ami.py::test_"
LINK = "tests/unit/ari/test_link.py::test_"
CHANNEL = "tests/unit/ari/test_channel.py::test_"
WIRE = "tests/unit/ari/test_wire.py::test_"
SCOPE = "tests/unit/ari/test_scope.py::test_"
SCOPE_LOSSES = "tests/unit/ari/test_scope_losses.py::test_"
EVENTS = "tests/unit/ari/test_events.py::test_"
UNIT_AMI = "tests/unit/ami/test_ami.py::test_"
REAL_AMI = "tests/unit/ami/test_on_real_asterisk.py::test_"
AMI_STREAM = "tests/properties/test_ami_stream.py::test_"
AGI_SOCKETS = "tests/unit/agi/test_hostile_sockets.py::test_"
AGI_SESSION = "tests/unit/agi/test_session.py::test_"
REAL_AGI = "tests/unit/agi/test_on_real_asterisk.py::test_"
AGI_HEADER = "tests/properties/test_agi_header.py::test_"
CONTRACT = "tests/contract/test_ari.py::test_"
SCHEMA = "tests/unit/store/test_schema.py::test_"
TRUNKS = "tests/unit/contact_center/test_trunks.py::test_"
OUTBOUND = "tests/calls/test_outbound.py::test_"
LAW = "tests/asterisk/test_law.py::test_"
LAW_LIVE = "tests/unit/dialer/test_law_live.py::test_"
LIMITS = "tests/asterisk/test_limits.py::test_"
PREDICTIVE = "tests/unit/dialer/test_predictive.py::test_"
STUDY = "tests/simulation/test_study.py::test_"
CLOCK_STEPS = "tests/unit/dialer/test_clock_steps.py::test_"
SPELLINGS = "tests/unit/law/test_spellings.py::test_"
RULES = "tests/unit/law/test_rules.py::test_"

ROWS: tuple[Row, ...] = (
    Row("A1", "kill -9 with calls talking and waiting", (
        "kill_9", "inbound_kill", f"{CRASH}a_talk_goes_on_through_a_crash_and_its_record_is_whole",
        f"{CRASH}a_customer_for_whom_an_agent_s_phone_rings_is_served_after_a_crash",
        "tests/asterisk/test_inbound_crash.py::test_talks_go_on_music_goes_on_and_the_order_is_kept_through_a_crash",
    )),
    Row("A2", "kill -9 at random instants of a campaign", (
        "kill_9", f"{KIT}kills_at_random_instants_double_nothing_and_forget_nothing",
        f"{CRASH}kill_9_of_serve_doubles_nothing_forgets_nothing_and_cuts_no_talk",
    )),
    Row("A3", "a crash at each step of a call", (
        "crash_points", f"{KIT}a_crash_at_a_step_of_a_call_is_settled_and_nothing_is_dialled_twice",
    )),
    Row("A4", "SIGTERM with calls up", (
        "sigterm", f"{CRASH}sigterm_stops_dialling_hands_calls_over_and_ends_within_ten_seconds",
    )),
    Row("A5", "the event loop stands still for 3 s, for 16 s", (
        "serve_frozen", f"{PROCESS}a_serve_that_stands_still_for_a_while_goes_on_where_the_calls_are",
        "tests/unit/http/test_watchdog.py::*",
    )),
    Row("A6", "the program is started twice", (
        f"{PROCESS}a_second_serve_on_the_same_database_is_refused_and_the_first_goes_on",
        "tests/unit/http/test_lock.py::*", "socket",
    )),
    Row("A7", "a poisoned event, row or fact", (
        f"{ARI}an_event_of_a_call_with_half_its_fields_harms_no_other_call",
        f"{PROCESS}a_campaign_whose_settings_make_no_sense_harms_no_other_and_no_start",
        "tests/unit/store/test_writer.py::*",
    )),
    Row("A8", "unknown schema, mistyped settings, missing secrets", (
        "tests/unit/console/test_root.py::test_a_broken_configuration_is_one_sentence_and_exit_2",
        "tests/unit/console/test_root.py::test_a_missing_configuration_is_one_sentence",
        f"{SCHEMA}an_older_schema_asks_for_the_upgrade",
        f"{SCHEMA}a_newer_schema_asks_for_the_newer_program_and_is_left_alone",
        f"{SCHEMA}a_file_that_is_no_database_is_refused_and_not_changed",
    )),
    Row("A9", "an hour of dialling", ("soak",)),
    Row("B1", "TCP reset", ("socket", f"{KIT}a_fault_of_the_line_to_asterisk_costs_no_call")),
    Row("B2", "black hole, frozen Asterisk", (
        "socket", f"{ARI}a_line_that_ends_or_stands_still_stops_dialling_at_once",
        f"{LINK}a_frozen_asterisk_is_in_doubt_within_two_heartbeats_and_given_up_after_three",
    )),
    Row("B3", "clean close", (
        f"{ARI}a_line_that_ends_or_stands_still_stops_dialling_at_once",
        f"{WIRE}a_clean_close_counts_as_a_loss_and_is_not_answered_by_a_storm",
    )),
    Row("B4", "the application is stolen, the socket stays open", (
        "socket", f"{LINK}a_stolen_application_name_is_loss_of_control_and_is_not_fought_over",
        f"{LINK}a_socket_that_stays_open_but_brings_nothing_is_noticed",
    )),
    Row("B5", "a burst of events, a slow reader", (
        f"{ARI}a_burst_of_events_is_read_without_a_disconnect_and_delays_no_call",
        f"{WIRE}a_burst_of_events_is_read_without_losing_one", "serve_frozen",
    )),
    Row("B6", "events are lost while calls end", (
        f"{ARI}calls_whose_events_are_lost_are_closed_all_the_same",
        "tests/unit/ari/test_census.py::test_a_channel_whose_end_was_never_told_is_gone_at_the_second_look",
        f"{SCOPE_LOSSES}events_lost_at_random_are_made_good_by_the_next_connect",
    )),
    Row("B7", "Asterisk refuses: password, sessions used up", (
        f"{ARI}an_asterisk_whose_web_sessions_are_used_up_is_named_and_not_stormed",
        f"{LINK}a_wrong_password_says_so_and_is_tried_once_a_second_at_most",
    )),
    Row("B8", "the reply to a dial is lost", (
        "socket", f"{KIT}a_fault_of_the_line_to_asterisk_costs_no_call",
        f"{CHANNEL}an_originate_whose_reply_is_lost_is_found_again_and_not_repeated",
        f"{SCOPE_LOSSES}a_reply_lost_at_any_command_leaves_nothing_behind",
    )),
    Row("B9", "a false 409", (
        f"{CHANNEL}a_conflict_is_no_proof_that_the_channel_exists",
        f"{CONTRACT}the_same_id_is_refused_while_the_channel_lives_and_counts_as_placed",
    )),
    Row("B10", "events in any order, twice, or with a beginning missing", (
        f"{CHANNEL}events_in_any_order_and_number_end_in_the_same_state",
    )),
    Row("B11", "frames that are no events, of any size and depth", (
        f"{ARI}frames_that_are_no_events_are_dropped_and_the_line_is_kept",
        f"{EVENTS}any_bytes_are_an_event_nothing_or_malformed",
        f"{EVENTS}any_fields_are_an_event_nothing_or_malformed",
    )),
    Row("B12", "commands on channels and bridges that are gone", (
        f"{CONTRACT}commands_on_channels_and_bridges_that_never_were_say_404",
        f"{SCOPE}a_strike_at_any_instant_leaves_no_leg_no_bridge_and_one_record",
        f"{CALLS}a_customer_who_hangs_up_while_the_agents_phone_rings_leaves_no_leg_behind",
    )),
    Row("C1", "kill -9 of Asterisk", (
        "asterisk_killed", f"{CRASH}asterisk_killed_ends_every_call_once_and_dialling_goes_on_when_it_is_back",
    ), "callers who wait in an inbound queue"),
    Row("C2", "Asterisk stopped gracefully, reloaded", (
        f"{PROCESS}an_asterisk_that_is_stopped_gracefully_keeps_its_talks_and_burns_no_lead",
        f"{PROCESS}a_reload_of_asterisk_costs_no_call",
        f"{OUTBOUND}a_dial_that_asterisk_itself_refuses_was_not_attempted",
    )),
    Row("C3", "Asterisk absent at the start", (
        f"{PROCESS}a_serve_that_is_there_before_asterisk_waits_for_it",
        f"{LINK}an_absent_asterisk_is_logged_once_a_minute_and_waited_for",
    )),
    Row("C4", "Asterisk overloaded: answers later than 1 s", ("socket",)),
    Row("C5", "the customer hangs up while the agent's phone rings", (
        f"{CALLS}a_customer_who_hangs_up_while_the_agents_phone_rings_leaves_no_leg_behind",
        f"{SCOPE}a_strike_at_any_instant_leaves_no_leg_no_bridge_and_one_record",
    ), "consultation legs"),
    Row("C6", "the answer meets the time-out", ("answer_at_timeout",)),
    Row("C7", "both hang up at once", (
        f"{CALLS}both_hanging_up_at_once_is_one_end_with_one_reason",
        f"{SCOPE}pairs_of_strikes_leave_no_leg_no_bridge_and_one_record",
    )),
    Row("D1", "AMI cut with actions under way", (
        f"{AMI}records_under_way_when_the_connection_is_cut_are_written_once_at_most",
        f"{UNIT_AMI}an_action_in_flight_at_a_drop_is_uncertain_and_sent_once_only",
    )),
    Row("D2", "AMI half open", (
        f"{AMI}a_half_open_connection_is_found_within_15_seconds_and_no_call_waits_for_it",
        f"{UNIT_AMI}a_half_open_connection_is_found_by_two_lost_pings_and_opened_anew",
    )),
    Row("D3", "AMI password or class refused", (
        f"{AMI}a_password_that_is_refused_is_said_and_not_repeated_in_haste",
        f"{REAL_AMI}a_user_without_the_class_is_refused_in_words",
    )),
    Row("D4", "55 idle sockets at AMI", (
        f"{AMI}idle_sockets_that_use_up_the_logins_are_told_and_calls_go_on",
        f"{REAL_AMI}idle_sockets_that_fill_asterisks_login_places_are_told_and_survived",
    )),
    Row("D5", "control bytes in any value sent by AMI", (
        f"{UNIT_AMI}no_control_byte_is_sent_in_any_field_and_the_field_is_named",
        f"{REAL_AMI}records_stand_in_asterisks_own_queue_log_as_app_queue_writes_them",
    )),
    Row("D6", "torn characters, endless lines, repeated keys, answers to others", (
        f"{AMI}characters_torn_between_segments_stay_whole_and_every_record_comes_once",
        f"{AMI_STREAM}events_in_pieces_of_one_to_seven_bytes_are_the_events_that_were_sent",
        f"{AMI_STREAM}no_bytes_whatever_break_the_reader",
        f"{UNIT_AMI}a_megabyte_without_an_end_closes_the_connection_and_memory_stays_bounded",
        f"{UNIT_AMI}an_answer_that_comes_too_late_is_not_taken_for_another",
    )),
    Row("D7", "a reader that is too slow for AMI", (
        f"{AMI}a_reader_that_asterisk_finds_too_slow_is_cut_and_takes_stock_anew",
    )),
    Row("E1", "connections to FastAGI that send nothing, or half a header", (
        "port_scans", f"{KIT}port_scans_of_fastagi_during_a_campaign_change_nothing",
        f"{AGI_SOCKETS}a_socket_that_sends_nothing_or_half_a_header_is_closed_at_the_deadline",
        f"{REAL_AGI}twenty_real_calls_go_on_through_port_scans",
    )),
    Row("E2", "an endless header, a byte now and then, 100 MB", (
        f"{AGI_SOCKETS}one_byte_now_and_then_does_not_prolong_the_deadline",
        f"{AGI_SOCKETS}a_hundred_megabytes_are_cut_off_at_64_kib",
        f"{AGI_SOCKETS}no_more_than_fifty_connections_are_open_and_the_next_is_closed_at_once",
    )),
    Row("E3", "nonsense in a FastAGI header", (
        f"{AGI_HEADER}no_bytes_whatever_make_the_parser_raise",
        f"{AGI_SOCKETS}what_names_no_script_ends_with_the_dialplan_going_on",
        f"{AGI_SESSION}invalid_utf_8_in_a_callers_name_is_replaced",
    )),
    Row("E4", "a hang-up in the middle of a script", (
        f"{REAL_AGI}hanging_up_while_words_are_spoken_ends_the_script",
        f"{AGI_SESSION}511_and_end_of_file_mean_that_the_channel_has_gone",
    )),
    Row("E5", "a script that fails, a database that is away", (
        f"{REAL_AGI}whatever_fails_the_dialplan_goes_on",
        "tests/unit/agi/test_scripts.py::test_a_script_that_fails_leaves_the_call_to_the_dialplan",
    )),
    Row("H1", "503 to everything", (
        "trunk_503", f"{TRUNKS}a_storm_of_503_takes_the_trunk_down_and_gives_every_attempt_back",
        f"{TRUNKS}a_trunk_that_comes_back_starts_slowly_and_is_at_its_full_rate_after_half_a_minute",
        f"{TRUNKS}a_trunk_that_is_down_is_probed_once_in_half_a_minute_until_it_carries_a_call",
        f"{TRUNKS}the_second_trunk_takes_what_the_first_cannot",
    )),
    Row("H2", "a silent trunk", ("trunk_silent", f"{OUTBOUND}a_trunk_that_says_nothing_was_not_attempted")),
    Row("H3", "slow ringing, 183 only, 100 only", ("trunk_slow", "trunk_lossy")),
    Row("H7", "603, 607, 608, 404, 604, 484", (
        "outcomes", "tests/unit/contact_center/test_outcomes.py::test_each_sip_answer_has_its_outcome",
    )),
    Row("H8", "every line is taken", (
        "caps", f"{TRUNKS}never_more_calls_than_lines_less_those_kept_for_inbound",
        f"{TRUNKS}never_more_calls_in_a_second_than_allowed",
        "tests/asterisk/test_trunk_lines.py::"
        "test_campaign_own_calls_and_a_callback_never_have_more_lines_than_the_trunk",
    )),
    Row("I1", "every agent leaves while thirty calls ring", (
        "agents_leave", f"{LIMITS}agents_who_all_leave_cost_nobody_the_message_and_nobody_more_is_dialled",
    )),
    Row("I2", "the answer rate leaps from a tenth to most", (
        f"{STUDY}a_sudden_better_list_keeps_abandonment_under_the_limit",
        f"{PREDICTIVE}the_answer_rate_follows_a_step_within_a_hundred_calls", "predictive",
    )),
    Row("I3", "the first calls of a campaign", (
        f"{PREDICTIVE}until_twenty_live_answers_there_is_one_call_per_free_agent_and_it_says_so",
        f"{PREDICTIVE}stored_history_stands_for_the_first_answers",
        "tests/asterisk/test_predictive.py::test_a_predictive_campaign_learns_dials_ahead_and_keeps_what_it_learned",
    )),
    Row("I4", "the clock is turned, the machine sleeps", (
        f"{CLOCK_STEPS}however_the_clock_is_turned_calls_stay_agents_times_multiplier_and_within_the_trunks_pace",
        f"{CLOCK_STEPS}a_campaign_that_waits_for_a_lead_still_looks_when_the_clock_was_turned_back",
        f"{CLOCK_STEPS}a_clock_turned_past_the_end_of_the_hours_stops_dialling",
        "tests/unit/contact_center/test_roster.py::"
        "test_a_clock_that_is_turned_makes_no_wrap_up_longer_or_shorter",
    )),
    Row("I5", "daylight saving both ways, days of 23 and 25 hours, half-hour zones", (
        "tests/unit/law/test_zone_cases.py::test_a_place_is_open_and_opens_next_when_the_law_says_so",
        "tests/properties/test_law.py::test_it_is_open_until_the_second_it_closes",
        "tests/properties/test_law.py::test_the_next_opening_is_open_and_nothing_before_it_is",
    )),
    Row("I6", "an area code in two zones, a place that is not known", (
        "tests/unit/law/test_zone_cases.py::test_a_place_is_open_and_opens_next_when_the_law_says_so",
        "tests/properties/test_law.py::test_knowing_less_of_a_lead_never_opens_more_hours_of_the_law",
        f"{RULES}an_unknown_state_may_be_any_of_them", f"{RULES}a_rule_holds_as_soon_as_it_does_in_one_of_two_zones",
    )),
    Row("I7", "the hours end while it dials", (
        "closing", f"{LAW_LIVE}nothing_is_placed_from_two_seconds_before_the_hours_close",
    )),
    Row("I8", "a number is listed while it waits or rings", (
        "do_not_call", f"{LAW}a_ringing_call_is_cancelled_within_a_second_of_its_listing",
        f"{LIMITS}numbers_listed_around_their_dials_are_not_called_later_than_a_quarter_of_a_second_after_it",
        f"{LAW_LIVE}a_thousand_numbers_listed_while_they_are_dialled_are_never_sent_later",
    )),
    Row("I9", "one person in two campaigns, written in many ways", (
        f"{SPELLINGS}five_thousand_spellings_are_one_number_each",
        "tests/unit/dialer/test_engine.py::test_two_campaigns_never_dial_one_number_at_once",
        "tests/unit/store/test_law_claims.py::test_a_person_in_florida_is_called_three_times_a_day_whatever_campaign_calls_him",
    )),
)  # fmt: skip


def told() -> str:
    """The matrix as a section of PROOFS.md."""
    lines = [
        "\n## The matrix of faults\n",
        "Each row is a fault that was to be survived, with the tests (`pytest FILE::NAME`) and proofs "
        "(`make prove ONLY=name`)\nthat show it. A star stands for every test of a file.\n",
        "| | fault | shown by | on parts that do not exist yet |",
        "|---|---|---|---|",
    ]
    lines += [f"| {r.id} | {r.fault} | {_by_file(r.shown_by)} | {r.missing} |" for r in ROWS]
    return "\n".join(lines) + "\n"


def _by_file(names: Iterable[str]) -> str:
    return "<br>".join(f"`{name}`" for name in names)


def unknown(root: Path, proofs: Collection[str]) -> list[str]:
    """What the matrix names and nobody has."""
    tests: dict[str, set[str]] = {}
    found = []
    for row in ROWS:
        for name in row.shown_by:
            file, colons, test = name.partition("::")
            if not colons:
                found += [f"{row.id}: {name}"] if name not in proofs else []
                continue
            if file not in tests:
                tests[file] = _tests_of(root / file)
            if not tests[file] or test not in {*tests[file], "*"}:
                found.append(f"{row.id}: {name}")
    return found


def _tests_of(file: Path) -> set[str]:
    if not file.exists():
        return set()
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    body = ast.parse(file.read_text()).body
    return {node.name for node in body if isinstance(node, functions) and node.name.startswith("test_")}
