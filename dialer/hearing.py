"""From events to laws: what a predictive pacer is told, kept until the other end of each span is told too."""

from __future__ import annotations

from dialer.estimators import HandleLaw, LineLaw
from dialer.guard import Steering
from dialer.watching import AgeWatch

FORGOTTEN = 3600.0 * 3  # seconds after which an open span is given up: its end will never be told
MOST_OPEN = 20000


class Hearing:
    """Takes events in any order; what does not fit together is passed over."""

    def __init__(self, line: LineLaw, steering: Steering, deadline: float) -> None:
        self.line, self.steering, self._deadline = line, steering, deadline
        self.talk, self.wrap = HandleLaw(90.0), HandleLaw(20.0)
        self.talk_watch, self.wrap_watch = AgeWatch(self.talk), AgeWatch(self.wrap)
        self._dialled: dict[int, float] = {}
        self._answered: dict[int, float] = {}
        self._talking: dict[int, float] = {}
        self._talking_calls: dict[int, float] = {}
        self._agent_of: dict[int, int] = {}
        self._wrapping: dict[int, float] = {}
        self._left, self._stayed = 0.3, 20.0
        self._held, self._holds = 5.0 * deadline, 5.0
        self._kinds = {
            "dial": self._dial,
            "answer": self._answer,
            "fail": self._fail,
            "connect": self._connect,
            "drop": self._drop,
            "hangup": self._hangup,
            "ready": self._ready,
            "login": self._login,
            "logout": self._logout,
        }

    def hear(self, kind: str, at: float, ident: int, outcome: str | int | None) -> None:
        """One event; unknown kinds are passed over."""
        known = self._kinds.get(kind)
        if known is not None:
            known(at, ident, outcome)

    @property
    def stay(self) -> float:
        """The share of wrap-ups after which the agent is ready, not gone."""
        return self._stayed / (self._stayed + self._left)

    @property
    def hold(self) -> float:
        """How long people who find no agent stay on the line: the deadline, or less if they are impatient."""
        return self._held / self._holds

    def forget(self, now: float) -> None:
        """Give up spans whose end was never told."""
        for open_spans in (self._dialled, self._answered, self._talking, self._talking_calls, self._wrapping):
            if len(open_spans) > MOST_OPEN:
                for ident in [i for i, at in open_spans.items() if at < now - FORGOTTEN]:
                    del open_spans[ident]
        if len(self._agent_of) > MOST_OPEN:
            self._agent_of.clear()

    def _dial(self, at: float, ident: int, _outcome: object) -> None:
        self._dialled[ident] = at

    def _answer(self, at: float, ident: int, _outcome: object) -> None:
        began = self._dialled.pop(ident, None)
        self.line.observe(None if began is None else at - began, True)
        self._answered[ident] = at

    def _fail(self, at: float, ident: int, _outcome: object) -> None:
        began = self._dialled.pop(ident, None)
        self.line.observe(None if began is None else at - began, False)

    def _connect(self, at: float, ident: int, outcome: object) -> None:
        self._answered.pop(ident, None)
        if isinstance(outcome, int):
            self._wrapping.pop(outcome, None)
            self._talking[outcome] = at
            self._agent_of[ident] = outcome
        else:
            self._talking_calls[ident] = at
        self.steering.count(at, False)

    def _drop(self, at: float, ident: int, _outcome: object) -> None:
        since = self._answered.pop(ident, None)
        if since is not None:
            self._held = 0.98 * self._held + min(max(at - since, 0.0), self._deadline)
            self._holds = 0.98 * self._holds + 1.0
        self.steering.count(at, True)

    def _hangup(self, at: float, ident: int, _outcome: object) -> None:
        agent = ident if ident in self._talking else self._agent_of.pop(ident, None)
        since = self._talking.pop(agent, None) if agent is not None else None
        if since is not None and agent is not None:
            self._wrapping[agent] = at
        else:
            since = self._talking_calls.pop(ident, None)
        if since is not None:
            self.talk_watch.reported = True
            self.talk.observe(at - since)

    def _ready(self, at: float, ident: int, _outcome: object) -> None:
        since = self._wrapping.pop(ident, None)
        if since is not None:
            self.wrap_watch.reported = True
            self.wrap.observe(at - since)
            self._stayed = 0.998 * self._stayed + 1.0
            self._left *= 0.998

    def _login(self, at: float, ident: int, _outcome: object) -> None:
        self._wrapping.pop(ident, None)

    def _logout(self, at: float, ident: int, _outcome: object) -> None:
        since = self._wrapping.pop(ident, None)
        if since is not None:
            self.wrap.observe(at - since)
            self._left = 0.998 * self._left + 1.0
            self._stayed *= 0.998
        since = self._talking.pop(ident, None)
        if since is not None:
            self.talk.observe(at - since, ended=False)
