"""A mailbox for all, a fresh database with one shop and its hall for each test; every invariant must hold
afterwards."""

from collections.abc import Iterator

import pytest

from tests.integration.notifications.mailboxes import Mailbox, Post
from tests.integration.state_updater.shops import faults
from tests.integration.state_updater.stages import Stage


@pytest.fixture(scope="module")
def shared_mailbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mailbox]:
    mailbox = Mailbox(tmp_path_factory.mktemp("mailbox"))
    mailbox.start()
    yield mailbox
    mailbox.stop()


@pytest.fixture
def mailbox(shared_mailbox: Mailbox) -> Mailbox:
    shared_mailbox.clear()
    return shared_mailbox


@pytest.fixture
def post(database_url: str, mailbox: Mailbox) -> Iterator[Post]:
    shop = Stage(database_url)
    shop.set_up()
    opened = Post(shop, mailbox)
    yield opened
    opened.close()
    shop.close()
    assert faults(database_url) == []
