"""
The posts of an environment: which deployment works for each integration, kept alive through deaths of its worker.

A worker that took over is verified before the word is said, each time anew. Who fails there for the first time is
given up; a deployment that was verified once works on, because its remote's bad day is not its fault.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from tagline.clock import Clock
from tagline.domain.lifecycle import Deployment
from tagline.errors import TaglineError, TryAgainError
from tagline.runtime import stages
from tagline.runtime.health import PostHealth
from tagline.runtime.reporter import Reporter, as_ours, reason
from tagline.runtime.stages import Means, Running
from tagline.runtime.supervisor import ANSWER_S, RESTART_MAX_S, restart_delay_s

VERIFY_AGAIN_S: Final = 30.0
"""Seconds a new deployment whose remote is away is verified again before it is given up."""
STEADY: Final = timedelta(seconds=RESTART_MAX_S)
"""A worker that lived longer than the longest wait has put the deaths before it behind."""


@dataclass
class Post:
    """The deployment at work for one integration, and how its worker fares."""

    deployment: Deployment
    running: Running | None
    """None while its worker is dead."""
    proven: bool
    """Whether it was ever verified."""
    before: Deployment | None = None
    """What worked before it and works again if it fails; not known of a deployment that was resumed."""
    deaths: int = 0
    """In a row; forgotten once a worker has been steady."""
    since: datetime | None = None
    """When the worker that lives now was started."""
    restart_at: datetime | None = None
    verify_at: datetime | None = None
    """When to verify the worker that lives now; None once that is done."""
    doubts: int = 0
    """Times it could not be verified since its worker was started."""
    doubted_at: datetime | None = None
    """The first of them."""


class Posts:
    """All posts, by integration. Only `wake` may be called from another thread."""

    def __init__(self, means: Means, clock: Clock, reporter: Reporter) -> None:
        self._means = means
        self._clock = clock
        self._reporter = reporter
        self._posts: dict[str, Post] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._posts))

    def get(self, integration: str) -> Post | None:
        return self._posts.get(integration)

    def man(self, running: Running, before: Deployment | None) -> None:
        """Note the deployment that has just been given the work; it is to be verified."""
        now = self._clock.now()
        self._posts[running.deployment.integration] = Post(
            running.deployment, running, proven=False, before=before, since=now, verify_at=now
        )
        # A hint that came between its start and this line found nobody to wake.
        running.worker.wake()

    def leave(self, integration: str) -> Post | None:
        """Take the deployment off its post; its worker is the caller's to end."""
        return self._posts.pop(integration, None)

    def give_back(self, deployment: Deployment) -> None:
        """Let a deployment that worked before work again; a worker that will not start is tried again later."""
        proven = stages.is_proven(self._means, deployment)
        post = Post(deployment, None, proven, restart_at=self._clock.now())
        self._posts[deployment.integration] = post
        self._restart(post, self._clock.now())

    def wake(self, integration: str) -> None:
        """Tell the integration's worker, if one lives, that there may be work."""
        post = self._posts.get(integration)
        running = post.running if post else None
        if running:
            running.worker.wake()

    def look_after(self) -> None:
        """Note workers that died, and restart those whose wait is over; one never verified is left for `verify` to give up."""
        now = self._clock.now()
        for post in self._posts.values():
            if post.proven and post.running and post.running.worker.exit_code is not None:
                self._bury(post, post.running, now)
            if post.running is None and post.restart_at is not None and post.restart_at <= now:
                self._restart(post, now)

    def verify(self, integration: str) -> None:
        """
        Verify the integration's worker if it is time to, and report it when it passes.

        Raises:
            TaglineError: What a deployment that was never verified failed with; it is to be given up.
        """
        post = self._posts.get(integration)
        if post is None or post.running is None or post.verify_at is None:
            return
        if post.verify_at > self._clock.now() and post.running.worker.exit_code is None:
            return
        try:
            # Who has kept us waiting once keeps the other integrations waiting no more.
            stages.verify(post.running, wait_s=0 if post.doubts else ANSWER_S)
        except Exception as error:  # noqa: BLE001 - a deployment whose verify stumbles is not verified
            self._doubt(post, post.running, as_ours(error))
            return
        stages.prove(self._means, post.deployment)
        first, post.proven = not post.proven, True
        post.verify_at = None
        self._reporter.trouble(post.deployment.id, "")
        self._reporter.report(post.deployment, "verified", "; ".join(post.running.notes))
        if first:
            stages.settle(self._means, post.running, post.before)

    def next_due(self) -> datetime | None:
        """When there is something to restart or to verify."""
        due = (at for p in self._posts.values() for at in (p.restart_at, p.verify_at) if at)
        return min(due, default=None)

    def healths(self) -> tuple[PostHealth, ...]:
        """How each post fares."""
        return tuple(
            PostHealth(
                integration=name,
                deployment=post.deployment.id,
                version=post.deployment.version,
                has_worker=post.running is not None and post.running.worker.exit_code is None,
                is_verified=post.proven and not post.doubts,
                since=post.deployment.decided_at,
                deaths=post.deaths,
                unregistered=stages.unregistered(self._means.state, post.deployment),
            )
            for name, post in sorted(self._posts.items())
        )

    def drain_all(self) -> None:
        for post in self._posts.values():
            if post.running:
                stages.drain(post.running)
        self._posts.clear()

    def _bury(self, post: Post, running: Running, now: datetime) -> None:
        ended = f"the worker ended with exit code {running.worker.exit_code}"
        words = running.worker.last_words
        stages.end(running)  # its process is gone; this closes its pipes and connections
        steady = post.since is not None and now - post.since > STEADY
        self._wait(post, now, 1 if steady else post.deaths + 1)
        message = f"{ended}{words and ': '}{words}; restart in {restart_delay_s(post.deaths):g} s"
        self._reporter.report(post.deployment, "failed", message, code="worker-died")

    def _restart(self, post: Post, now: datetime) -> None:
        try:
            running = stages.launch(self._means, post.deployment)
            try:
                stages.recognise(running)
                stages.take_over(self._means, running, running.hooks)
            except BaseException:
                stages.end(running)
                raise
        except Exception as stumble:  # noqa: BLE001 - one that cannot be started never stops the others
            error = as_ours(stumble)
            if not post.deaths:  # a death was reported already, and so was the first of these
                self._reporter.report(post.deployment, "failed", error.message, code=error.code)
            self._wait(post, now, post.deaths + 1)
            self._reporter.trouble(post.deployment.id, f"its worker cannot work: {reason(error)}")
            return
        self._reporter.trouble(post.deployment.id, "")
        post.running, post.since, post.restart_at = running, now, None
        # One death is an accident; who died again has the word taken until it is steady.
        post.verify_at = now + STEADY if post.proven and post.deaths > 1 else now
        running.worker.wake()

    def _doubt(self, post: Post, running: Running, error: TaglineError) -> None:
        """Note that a worker could not be verified: it is looked at again later, or given up by raising `error`."""
        now = self._clock.now()
        post.doubts += 1
        post.doubted_at = post.doubted_at or now
        again = now + timedelta(seconds=restart_delay_s(post.doubts))
        if not post.proven:
            patience = post.doubted_at + timedelta(seconds=VERIFY_AGAIN_S)
            alive = running.worker.exit_code is None
            if not (alive and isinstance(error, TryAgainError) and now < patience):
                raise error
            again = min(again, patience)
        elif post.doubts == 1 and not isinstance(error, TryAgainError):
            self._reporter.report(post.deployment, "failed", error.message, code=error.code)
        post.verify_at = again
        self._reporter.trouble(post.deployment.id, f"works and is not verified: {reason(error)}")

    @staticmethod
    def _wait(post: Post, now: datetime, deaths: int) -> None:
        post.running, post.deaths, post.verify_at = None, deaths, None
        post.doubts, post.doubted_at = 0, None
        post.restart_at = now + timedelta(seconds=restart_delay_s(deaths))
