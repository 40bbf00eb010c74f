"""The field's own words as enums: what people, rows and JSON say."""

from __future__ import annotations

from enum import StrEnum


class AgentStatus(StrEnum):
    """What the agent chose."""

    OFFLINE = "offline"
    ONLINE = "online"
    PAUSED = "paused"


class AgentState(StrEnum):
    """What the system sees of an agent; the word shown to people."""

    OFFLINE = "offline"
    IDLE = "idle"
    OFFERED = "offered"
    TALKING = "talking"
    WRAP_UP = "wrap_up"
    PAUSED = "paused"
    UNREACHABLE = "unreachable"


class AgentConnect(StrEnum):
    """How a customer reaches the agent: his phone is rung, or his own call stays up (``*48``)."""

    ON_DEMAND = "on_demand"
    PERSISTENT = "persistent"


class CampaignMode(StrEnum):
    """Who is called first, and how many at once."""

    PREVIEW = "preview"
    PROGRESSIVE = "progressive"
    POWER = "power"
    PREDICTIVE = "predictive"


class LeadOrder(StrEnum):
    """Which leads that nobody has served come first."""

    NEW_FIRST = "new_first"
    RETRIES_FIRST = "retries_first"


class CampaignState(StrEnum):
    """``ending``: no new calls, those in progress go on; ``finished``: no lead is left to call."""

    STOPPED = "stopped"
    RUNNING = "running"
    PAUSED = "paused"
    ENDING = "ending"
    FINISHED = "finished"


class LeadState(StrEnum):
    """``new`` never tried; ``due`` waits for ``next_attempt_at``; ``done`` served; ``closed`` given up."""

    NEW = "new"
    DUE = "due"
    DIALING = "dialing"
    TALKING = "talking"
    DONE = "done"
    CLOSED = "closed"
    DNC = "dnc"


class Outcome(StrEnum):
    """How one dial ended (the contract's table of outcomes); also the disposition until an agent sets one."""

    CONNECTED = "connected"
    MISSED = "missed"
    UNAVAILABLE = "unavailable"
    BUSY = "busy"
    TECHNICAL_ERROR = "technical_error"
    NO_FREE_OPERATORS = "no_free_operators"
    INVALID_NUMBER = "invalid_number"
    BLOCKED = "blocked"
    NOT_ATTEMPTED = "not_attempted"
    MACHINE = "machine"


class AttemptState(StrEnum):
    """``intent`` is committed before anything is sent; ``unknown`` was never proven and is not repeated."""

    INTENT = "intent"
    DIALING = "dialing"
    RINGING = "ringing"
    ANSWERED = "answered"
    CONNECTED = "connected"
    DONE = "done"
    UNKNOWN = "unknown"

    @property
    def is_open(self) -> bool:
        """Whether this attempt may still be on the line."""
        return self not in (AttemptState.DONE, AttemptState.UNKNOWN)


class CallKind(StrEnum):
    """What kind of call it is; for campaigns the mode in force when it was placed."""

    INBOUND = "inbound"
    CALLBACK = "callback"
    MANUAL = "manual"
    PREVIEW = "preview"
    PROGRESSIVE = "progressive"
    POWER = "power"
    PREDICTIVE = "predictive"
    INTERNAL = "internal"


class CallbackState(StrEnum):
    """Where a callback stands; ``done``: the customer, or his machine, answered, or he called in himself."""

    WAITING = "waiting"
    CALLING_AGENT = "calling_agent"
    CALLING_CUSTOMER = "calling_customer"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    @property
    def is_open(self) -> bool:
        """Whether the customer may still be called."""
        return self in (CallbackState.WAITING, CallbackState.CALLING_AGENT, CallbackState.CALLING_CUSTOMER)


class VisitEnd(StrEnum):
    """How a caller's stay in a queue ended.

    ``full`` and ``empty``: the rule of the queue sent him on, for its length or for want of agents; ``callback``: he
    asked to be called back; ``removed``: a supervisor ended his call; ``lost``: Asterisk went away under him.
    """

    CONNECTED = "connected"
    ABANDONED = "abandoned"
    TIMEOUT = "timeout"
    FULL = "full"
    EMPTY = "empty"
    CALLBACK = "callback"
    REMOVED = "removed"
    LOST = "lost"


class Reception(StrEnum):
    """What came of a caller; also the disposition of his call until an agent sets one."""

    ANSWERED = "answered"
    ABANDONED = "abandoned"
    CLOSED = "closed"
    OVERFLOW = "overflow"
    CALLBACK = "callback"
    REMOVED = "removed"
    TECHNICAL_ERROR = "technical_error"


class Direction(StrEnum):
    """Seen from the contact centre."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"
    INTERNAL = "internal"


class Party(StrEnum):
    """Who hung up."""

    CALLER = "caller"
    AGENT = "agent"
    SYSTEM = "system"


class CallState(StrEnum):
    """How a call's line ended. A = the customer's side, B = the agent's, whoever placed the call."""

    NORMAL_CLEARING_A = "NORMAL_CLEARING_A"
    NORMAL_CLEARING_B = "NORMAL_CLEARING_B"
    NORMAL_CLEARING_S = "NORMAL_CLEARING_S"
    FORCED_CLEARING_B = "FORCED_CLEARING_B"
    ORIGINATOR_CANCEL_A = "ORIGINATOR_CANCEL_A"
    ORIGINATOR_CANCEL_B = "ORIGINATOR_CANCEL_B"
    NO_ANSWER_A = "NO_ANSWER_A"
    NO_ANSWER_B = "NO_ANSWER_B"
    USER_BUSY_A = "USER_BUSY_A"
    USER_BUSY_B = "USER_BUSY_B"
    UNAVAILABLE_A = "UNAVAILABLE_A"
    REJECTED_A = "REJECTED_A"
    INVALID_NUMBER_A = "INVALID_NUMBER_A"
    NETWORK_FAILURE = "NETWORK_FAILURE"
    NO_FREE_OPERATORS = "NO_FREE_OPERATORS"
    ANSWERING_MACHINE_A = "ANSWERING_MACHINE_A"
    QUEUE_CLOSED = "QUEUE_CLOSED"
    QUEUE_OVERFLOW = "QUEUE_OVERFLOW"
    CALLBACK_ORDERED = "CALLBACK_ORDERED"
    SWITCH_LOST = "SWITCH_LOST"


class TimelineKind(StrEnum):
    """The kinds of a timeline's entries."""

    MENU = "menu"
    QUEUE = "queue"
    QUEUE_CALLBACK = "queue_callback"
    CONVERSATION = "conversation"
    CONSULT = "consult"
    DELETED = "deleted"


class NumberCheck(StrEnum):
    """How strictly numbers are checked: valid in the numbering plan, or merely digits of E.164 length."""

    VALID = "valid"
    DIGITS = "digits"


class Ear(StrEnum):
    """How a supervisor takes part in a talk: heard by nobody, by the agent alone, or by both."""

    LISTEN = "listen"
    WHISPER = "whisper"
    BARGE = "barge"


class RecordWish(StrEnum):
    """What is wanted of the recording of a talk that goes on."""

    PAUSE = "pause"
    RESUME = "resume"


class ApiRole(StrEnum):
    """What a token of the HTTP API may do; ``agent`` speaks for one agent."""

    SUPERVISOR = "supervisor"
    AGENT = "agent"
    LEAD_PUSH = "lead_push"
    READ = "read"


class AmdStatus(StrEnum):
    """What Asterisk's AMD says of who answered; anything else it says is unsure."""

    MACHINE = "MACHINE"
    HUMAN = "HUMAN"
