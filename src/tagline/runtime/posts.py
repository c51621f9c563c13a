"""The posts of an environment: which deployment works for each integration, kept alive through deaths of its worker."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from tagline.clock import Clock
from tagline.domain.lifecycle import Deployment
from tagline.errors import TaglineError
from tagline.runtime import stages
from tagline.runtime.reporter import Reporter, reason
from tagline.runtime.stages import Means, Running
from tagline.runtime.supervisor import RESTART_MAX_S, restart_delay_s


@dataclass
class Post:
    """The deployment at work for one integration, and how its worker fares."""

    deployment: Deployment
    running: Running | None
    """None while its worker is dead."""
    deaths: int = 0
    """In a row; forgotten once a worker has lived longer than the longest wait."""
    since: datetime | None = None
    """When the worker that lives now was started."""
    restart_at: datetime | None = None


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

    def man(self, running: Running) -> None:
        """Note the deployment that has just been given the work."""
        self._posts[running.deployment.integration] = Post(
            running.deployment, running, since=self._clock.now()
        )
        # A hint that came between its start and this line found nobody to wake.
        running.worker.wake()

    def leave(self, integration: str) -> Post | None:
        """Take the deployment off its post; its worker is the caller's to end."""
        return self._posts.pop(integration, None)

    def give_back(self, deployment: Deployment) -> None:
        """Let a deployment that worked before work again; a worker that will not start is tried again later."""
        post = Post(deployment, None, restart_at=self._clock.now())
        self._posts[deployment.integration] = post
        self._restart(post, self._clock.now())

    def wake(self, integration: str) -> None:
        """Tell the integration's worker, if one lives, that there may be work."""
        post = self._posts.get(integration)
        running = post.running if post else None
        if running:
            running.worker.wake()

    def look_after(self) -> None:
        """Note workers that died, and restart those whose wait is over."""
        now = self._clock.now()
        for post in self._posts.values():
            if post.running and post.running.worker.exit_code is not None:
                self._bury(post, post.running, now)
            if post.running is None and post.restart_at is not None and post.restart_at <= now:
                self._restart(post, now)

    def next_restart(self) -> datetime | None:
        """When `look_after` has something to restart."""
        return min((p.restart_at for p in self._posts.values() if p.restart_at), default=None)

    def drain_all(self) -> None:
        for post in self._posts.values():
            if post.running:
                stages.drain(post.running)
        self._posts.clear()

    def _bury(self, post: Post, running: Running, now: datetime) -> None:
        ended = f"the worker ended with exit code {running.worker.exit_code}"
        words = running.worker.last_words
        stages.end(running)  # its process is gone; this closes its pipes and connections
        steady = post.since is not None and now - post.since > timedelta(seconds=RESTART_MAX_S)
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
        except TaglineError as error:
            if not post.deaths:  # a death was reported already, and so was the first of these
                self._reporter.report(post.deployment, "failed", error.message, code=error.code)
            self._wait(post, now, post.deaths + 1)
            self._reporter.trouble(post.deployment.id, f"its worker cannot work: {reason(error)}")
            return
        self._reporter.trouble(post.deployment.id, "")
        post.running, post.since, post.restart_at = running, now, None
        running.worker.wake()
        self._reporter.report(post.deployment, "verified")

    @staticmethod
    def _wait(post: Post, now: datetime, deaths: int) -> None:
        post.running, post.deaths = None, deaths
        post.restart_at = now + timedelta(seconds=restart_delay_s(deaths))
