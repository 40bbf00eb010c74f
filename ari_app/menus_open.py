"""The menus of a running contact centre: made once, and loaded anew whenever a group or a category changes."""

from __future__ import annotations

from ari_app.after_call import AfterCalls
from ari_app.menu_prompts import MenuPrompts
from ari_app.services import Services
from ari_app.speech import Speech, sounds_folder
from contact_center.ratings.choices import ChoiceBook
from contact_center.store.categories import load_categories
from contact_center.store.ratings import load_groups
from contact_center.store.writer import Writer


def open_menus(env: Services, writer: Writer) -> AfterCalls:
    """What agents are asked after their calls; nothing until ``load_menus``."""
    settings = env.settings
    speech = Speech(settings.speech.command, sounds_folder(settings.database.url), env.ari.spawn)
    sounds = MenuPrompts(speech, settings.site.currency)
    limit = float(settings.agents.menu_seconds)
    return AfterCalls(ChoiceBook(), sounds, writer.post, env.clock.now, limit_seconds=limit)


async def load_menus(env: Services, writer: Writer) -> None:
    """Take groups and categories as the store knows them; the next call uses them."""
    if env.after is None:
        return
    groups, categories = await writer.read(lambda session: (load_groups(session), load_categories(session)))
    env.after.book.load(groups, categories)
    for group in groups:
        env.after.sounds.prepare(group, env.settings.site.language)
