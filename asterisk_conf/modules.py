"""The modules of Asterisk that the product needs, and what for."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

NEEDED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "the application": ("app_stasis.so", "res_stasis.so", "res_http_websocket.so", "res_ari.so"),
        "calls in the application": (
            "res_ari_applications.so",
            "res_ari_asterisk.so",
            "res_ari_bridges.so",
            "res_ari_channels.so",
            "res_ari_endpoints.so",
            "res_ari_events.so",
            "res_stasis_answer.so",
            "res_stasis_snoop.so",
            "bridge_simple.so",
            "bridge_softmix.so",
        ),
        "prompts and recordings": (
            "res_ari_playbacks.so",
            "res_ari_recordings.so",
            "res_ari_sounds.so",
            "res_stasis_playback.so",
            "res_stasis_recording.so",
            "format_gsm.so",
            "codec_gsm.so",
            "format_wav.so",
        ),
        "music": ("res_musiconhold.so",),
        "SIP": (
            "chan_pjsip.so",
            "res_pjsip.so",
            "res_pjsip_session.so",
            "res_pjsip_sdp_rtp.so",
            "res_pjsip_endpoint_identifier_ip.so",
            "res_pjsip_endpoint_identifier_user.so",
            "res_pjsip_outbound_authenticator_digest.so",
            "res_pjsip_caller_id.so",
            "res_pjsip_rfc3326.so",
            "res_rtp_asterisk.so",
            "codec_alaw.so",
            "codec_ulaw.so",
        ),
        "phones": (
            "res_pjsip_registrar.so",
            "res_pjsip_authenticator_digest.so",
            "res_pjsip_nat.so",
            "res_sorcery_astdb.so",
            "res_sorcery_config.so",
            "res_sorcery_memory_cache.so",
        ),
        "trunks that register": ("res_pjsip_outbound_registration.so",),
        "the dialplan": (
            "pbx_config.so",
            "app_dial.so",
            "app_playback.so",
            "app_stack.so",
            "func_channel.so",
            "func_strings.so",
            "func_timeout.so",
        ),
        "codes on the phone": ("res_agi.so",),
        "machine detection": ("app_amd.so", "func_talkdetect.so"),
        "queue_log": ("app_queue.so",),
    }
)
"""What each group of modules is there for."""


def needed_modules() -> frozenset[str]:
    """File names of the modules without which something of the product does not work."""
    return frozenset(module for modules in NEEDED.values() for module in modules)
