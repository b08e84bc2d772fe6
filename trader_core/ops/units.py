"""The units under which a service manager runs trader: who starts what and when, and what it may touch.

As text, for a whole machine (a user `trader` of its own) or for one person's manager. docs/operate/systemd holds the
machine's, as they are generated here.
"""

from collections.abc import Mapping
from pathlib import PurePosixPath

from msgspec import Struct

from trader_core.ops.halts import KILL_FILE

KEYS = ("coinbase.json", "coinbase-new.json", "audit_key")
ADDRESSES = ("alert_urls", "alert_escalation_urls", "heartbeat_url")  # only where whoever delivers outlives the unit
HEALTHY = "SuccessExitStatus=20 21 23 75"  # closed, halted, stale, later: the command did its work and says how it is
STATE, CONFIG = PurePosixPath("/var/lib/trader"), PurePosixPath("/etc/trader")
SYSUSERS = 'u trader - "trader" /var/lib/trader\n'

_ALONE = """\
UMask=0077
NoNewPrivileges=yes
LockPersonality=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
MemoryMax=2G
TasksMax=128"""
_CAGED = """\
CapabilityBoundingSet=
AmbientCapabilities=
PrivateDevices=yes
PrivateTmp=yes
PrivateUsers=yes
ProcSubset=pid
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProtectSystem=strict
RemoveIPC=yes"""


class Place(Struct, frozen=True):
    """Where trader is installed and keeps its things. `config` is None for what comes with the package."""

    program: PurePosixPath
    state: PurePosixPath = STATE
    config: PurePosixPath | None = CONFIG
    is_machine: bool = True


def units(place: Place) -> Mapping[str, str]:
    """Every unit by file name, ready to be written."""
    services = {
        "trader-run-cycle": _service(
            place, "One cycle of trader", "run-cycle", "Type=oneshot", "TimeoutStartSec=300", "TimeoutStopSec=30",
            HEALTHY, unit=("OnSuccess=trader-alerts.service",),
        ),
        "trader": _service(
            place, "trader, cycle after cycle", "run", "Type=notify", "NotifyAccess=main", "WatchdogSec=180",
            "Restart=on-failure", "RestartSec=30", "RestartPreventExitStatus=10 11 13 21", "TimeoutStopSec=60",
            f"SuccessExitStatus={STOPPED}",
            unit=("StartLimitIntervalSec=0", "Conflicts=trader-run-cycle.timer"),
            wanted_by="multi-user.target" if place.is_machine else "default.target", delivers=True,
        ),
        "trader-reconcile": _service(
            place, "Compare trader's ledger with the venue", "reconcile", "Type=oneshot", "TimeoutStartSec=300",
            f"SuccessExitStatus={NOTHING_YET} {HELD} 20",
        ),
        "trader-rotate-secrets": _service(
            place, "How old trader's key is", "rotate-secrets --status", "Type=oneshot", "TimeoutStartSec=60",
        ),
        "trader-backup": _service(
            place, "A copy of trader's state", "backup", "Type=oneshot", "TimeoutStartSec=900",
            f"SuccessExitStatus={NOTHING_YET}", "Nice=10", "IOSchedulingClass=idle",
        ),
        "trader-retain": _service(
            place, "Move trader's old decisions into closed files", "retain", "Type=oneshot", "TimeoutStartSec=900",
            f"SuccessExitStatus={NOTHING_YET}", "Nice=10", "IOSchedulingClass=idle",
        ),
        "trader-alerts": _service(
            place, "Deliver what trader has to tell", "alerts drain --once", "Type=oneshot", "TimeoutStartSec=600",
            f"SuccessExitStatus={NOTHING_YET} 70", told=False, delivers=True,
        ),
        "trader-kill": _service(
            place, "Stop trader", 'kill --reason "the kill file appeared"', "Type=oneshot", "TimeoutStartSec=60",
            f"ExecStopPost=-{_quoted(place.program)} alerts drain --once", "OOMScoreAdjust=-900", "CPUWeight=1000",
            "IOWeight=1000", unit=(f"ConditionPathExists={_kill_file(place)}",), delivers=True,
        ),
        "trader-failure@": _service(
            place, "Tell that %i failed", 'alerts raise --subject "%i" "the unit failed"', "Type=oneshot",
            f"ExecStopPost=-{_quoted(place.program)} alerts drain --once", "TimeoutStartSec=60", told=False,
            delivers=True,
        ),
    }  # fmt: skip
    timers = {
        "trader-run-cycle": _timer("A cycle of trader every minute", "*:*:05", "10s", catch_up=False),
        "trader-reconcile": _timer("Reconcile trader every hour", "*:20", "60s"),
        "trader-rotate-secrets": _timer("Look at the age of trader's key every day", "*-*-* 07:00 UTC", "10min"),
        "trader-backup": _timer("Back trader up every day", "*-*-* 00:20 UTC", "10min"),
        "trader-retain": _timer("Move trader's old decisions every day", "*-*-* 01:20 UTC", "10min"),
        "trader-alerts": _timer("Deliver trader's alerts every minute", "*:*:35", "5s", catch_up=False),
    }
    found = {f"{name}.service": text for name, text in services.items()}
    found |= {f"{name}.timer": text for name, text in timers.items()}
    found["trader-kill.path"] = _watch(place)
    return found


STOPPED = 143  # by SIGTERM, and the cycle that had begun was finished
NOTHING_YET = 13  # there is no state before the first cycle
HELD = 14  # by a loop that stays: it compares in each of its cycles


def _service(
    place: Place, about: str, words: str, *lines: str,
    unit: tuple[str, ...] = (), told: bool = True, wanted_by: str = "", delivers: bool = False,
) -> str:  # fmt: skip
    head = [f"Description={about}", "Wants=network-online.target", "After=network-online.target time-sync.target"]
    head += ["OnFailure=trader-failure@%n.service"] if told else []
    body = [f"ExecStart={_quoted(place.program)} {words}", *lines, *_home(place)]
    body += [f"LoadCredential={name}" for name in (*KEYS, *(ADDRESSES if delivers else ()))]
    body += _ALONE.splitlines()
    body += _CAGED.splitlines() if place.is_machine else []
    sections = [("Unit", [*head, *unit]), ("Service", body)]
    if wanted_by:
        sections.append(("Install", [f"WantedBy={wanted_by}"]))
    return _text(sections)


def _home(place: Place) -> list[str]:
    """Whose it is, and where it finds state and configuration."""
    found = [f"Environment={_quoted(f'TRADER_STATE={place.state}')}"]
    found += [f"Environment={_quoted(f'TRADER_CONFIG={place.config}')}"] if place.config else []
    if place.is_machine:
        found += ["User=trader", "StateDirectory=trader", "StateDirectoryMode=0700", "CacheDirectory=trader",
                  "Environment=HOME=%S/trader", "Environment=XDG_CACHE_HOME=%C"]  # fmt: skip
    return found


def _timer(about: str, when: str, spread: str, catch_up: bool = True) -> str:
    """A missed cycle is never made up for; what looks after the state is."""
    lines = [f"OnCalendar={when}", "AccuracySec=1s", f"RandomizedDelaySec={spread}", "FixedRandomDelay=true"]
    lines.append(f"Persistent={'true' if catch_up else 'false'}")
    return _text([("Unit", [f"Description={about}"]), ("Timer", lines), ("Install", ["WantedBy=timers.target"])])


def _watch(place: Place) -> str:
    """The kill file, whoever makes it. Watched for a change: a file that stays must not start it again and again. That
    it goes is a change too, so the service has a condition: a reset is no kill."""
    target = "multi-user.target" if place.is_machine else "default.target"
    lines = [f"PathChanged={_kill_file(place)}", "Unit=trader-kill.service"]
    about = ["Description=Watch for the kill file"]
    return _text([("Unit", about), ("Path", lines), ("Install", [f"WantedBy={target}"])])


def _kill_file(place: Place) -> str:
    """Where a path alone is wanted it is never quoted."""
    return _plain(place.state / KILL_FILE)


def _plain(text: object) -> str:
    """Without a specifier: a percent sign begins one."""
    return str(text).replace("%", "%%")


def _quoted(text: object) -> str:
    """One word as systemd splits them: quoted only where it has to be."""
    word = _plain(text)
    if not set(word) & set(" \t\"'\\"):
        return word
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _text(sections: list[tuple[str, list[str]]]) -> str:
    return "\n".join("\n".join([f"[{name}]", *lines, ""]) for name, lines in sections)
