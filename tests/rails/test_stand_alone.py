"""A daemon without a Rails app."""

from __future__ import annotations

from gitaly_py.rails.push import Access, PostReceiveAnswer, Push
from gitaly_py.rails.stand_alone import NoInternalApi

PUSH = Push(gl_repository="", gl_id="")


async def test_without_rails_every_push_is_allowed_in_silence() -> None:
    api = NoInternalApi()

    assert await api.allowed(PUSH) == Access(allowed=True)
    assert await api.pre_receive(PUSH)
    assert await api.post_receive(PUSH) == PostReceiveAnswer(decreased=True, messages=())
    await api.close()
