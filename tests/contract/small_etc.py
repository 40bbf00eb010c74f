"""The configuration of a small Asterisk that calls itself by SIP: its far end is its own dialplan."""

from __future__ import annotations

from pathlib import Path

QUIET_SECONDS, SPEECH_SECONDS = 1.0, 0.6
"""Whoever answers at ``speaks`` is silent for so long, then talks, and is silent for ever."""
ARI_USER, ARI_PASSWORD = "callwright", "lab-4711"

_MODULES = """
res_timing_timerfd res_sorcery_config res_sorcery_memory res_sorcery_astdb res_pjproject res_pjsip
res_pjsip_session res_pjsip_pubsub res_pjsip_registrar res_pjsip_endpoint_identifier_user
res_pjsip_endpoint_identifier_ip res_pjsip_sdp_rtp res_pjsip_rfc3326 res_pjsip_caller_id
res_pjsip_authenticator_digest res_pjsip_refer res_rtp_asterisk chan_pjsip pbx_config res_stasis
res_http_websocket res_websocket_client app_stasis res_ari res_ari_model res_ari_applications
res_ari_asterisk res_ari_bridges res_ari_channels res_ari_device_states res_ari_endpoints res_ari_events
res_ari_playbacks res_ari_recordings res_ari_sounds res_stasis_answer res_stasis_playback
res_stasis_recording res_stasis_snoop res_stasis_device_state chan_bridge_media bridge_simple
bridge_softmix bridge_holding bridge_native_rtp bridge_builtin_features res_musiconhold func_channel
func_timeout func_frame_drop app_verbose app_echo app_playback app_senddtmf codec_ulaw codec_alaw
codec_gsm codec_resample format_gsm format_wav format_pcm func_talkdetect app_exec app_playtones
"""

_FILES = {
    "http.conf": """[general]
enabled = yes
bindaddr = {host}
bindport = 8088
sessionlimit = 300
""",
    "ari.conf": """[general]
enabled = yes
websocket_write_timeout = 1000
[{user}]
type = user
password = {password}
""",
    "pjsip.conf": """[global]
type = global
endpoint_identifier_order = ip,username
[udp]
type = transport
protocol = udp
bind = {host}:5060
[trunk]
type = endpoint
context = nowhere
disallow = all
allow = ulaw
aors = trunk
direct_media = no
rtp_symmetric = yes
[trunk]
type = aor
contact = sip:{host}:5060
[dead]
type = endpoint
context = nowhere
disallow = all
allow = ulaw
aors = dead
[dead]
type = aor
contact = sip:{host}:5999
[unregistered]
type = endpoint
context = nowhere
disallow = all
allow = ulaw
aors = unregistered
[unregistered]
type = aor
max_contacts = 1
[far]
type = endpoint
context = far
disallow = all
allow = ulaw
direct_media = no
rtp_symmetric = yes
[far]
type = identify
endpoint = far
match = {host}
""",
    "extensions.conf": """[general]
[globals]
[far]
exten => answer,1,Answer()
 same => n,Wait(600)
exten => ringanswer,1,Ringing()
 same => n,Wait(0.3)
 same => n,Answer()
 same => n,Wait(600)
exten => ring,1,Ringing()
 same => n,Wait(600)
exten => progressbusy,1,Progress()
 same => n,Wait(0.3)
 same => n,Hangup(17)
exten => busy,1,Hangup(17)
exten => congested,1,Hangup(34)
exten => short,1,Answer()
 same => n,Wait(0.6)
 same => n,Hangup(16)
exten => keys,1,Answer()
 same => n,Wait(1)
 same => n,SendDTMF(12#,150,120)
 same => n,Wait(600)
exten => talk,1,Answer()
 same => n,Playback(vm-intro&vm-intro)
 same => n,Wait(600)
exten => speaks,1,Answer()
 same => n,Playback(silence/1)
 same => n,PlayTones(440)
 same => n,Wait({speech})
 same => n,StopPlayTones()
 same => n,Playback(silence/10)
 same => n,Wait(600)
exten => hangup,1,Hangup(16)
[entry]
exten => did,1,Answer()
 same => n,Stasis({app},inbound,did)
 same => n,Wait(600)
exten => limited,1,Answer()
 same => n,Set(TIMEOUT(absolute)=1)
 same => n,Stasis({app},inbound,limited)
 same => n,Wait(600)
exten => T,1,Set(TIMEOUT(absolute)=0)
 same => n,Wait(600)
exten => back,1,Stasis({app},back,again)
 same => n,Wait(600)
exten => wait,1,Wait(600)
""",
    "logger.conf": "[general]\n[logfiles]\nfull => notice,warning,error,verbose\n",
    "musiconhold.conf": "[general]\n[default]\nmode = files\ndirectory = moh\n",
    "rtp.conf": "[general]\nrtpstart = 20000\nrtpend = 20400\nicesupport = no\n",
    "indications.conf": "[general]\ncountry = uk\n[uk]\ndescription = UK\nringcadence = 400,200,400,2000\n"
    "ring = 400+450/400,0/200,400+450/400,0/2000\n",
}
_EMPTY = (
    "udptl",
    "pjproject",
    "cdr",
    "cel",
    "features",
    "acl",
    "ccss",
    "websocket_client",
    "stasis",
    "codecs",
    "manager",
)


def write_etc(etc: Path, host: str, app: str) -> None:
    """Fill `etc` for an Asterisk that binds to `host` alone and whose dialplan enters Stasis(`app`)."""
    etc.mkdir(parents=True, exist_ok=True)
    values = {"host": host, "user": ARI_USER, "password": ARI_PASSWORD, "app": app}
    values |= {"speech": f"{SPEECH_SECONDS:g}"}
    for name, text in _FILES.items():
        (etc / name).write_text(text.format(**values))
    for name in _EMPTY:
        (etc / f"{name}.conf").write_text("")
    loads = "\n".join(f"load = {module}.so" for module in _MODULES.split())
    (etc / "modules.conf").write_text(f"[modules]\nautoload = no\n{loads}\n")
    (etc / "asterisk.conf").write_text("[options]\nverbose = 3\n")
