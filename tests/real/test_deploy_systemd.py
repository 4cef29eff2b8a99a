"""The units of deploy/systemd: checked by systemd's own tools, and run by a systemd of their own."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.real import machine
from tests.real.programs import program
from tests.real.servers import Registry, write_certificates
from tests.real.vendor import IMAGES, NEW, store_at
from transload.layout import LayoutStore
from transload.testing.images import fill, image

UNITS = Path(__file__).parents[2] / "deploy" / "systemd"
EXPOSURE = 2.0
INSTALLED = {
    **{f"/etc/systemd/system/{path.name}": path for path in sorted(UNITS.glob("*@.*"))},
    "/etc/sysusers.d/transload.conf": UNITS / "transload.sysusers.conf",
}
# systemctl ends with 1 for every job that fails; what the job itself ended with is a property of its unit.
BEGIN = """\
exec 2>&1
cp -r /proof/etc /etc/transload
job() {
    systemctl start "transload-mirror@$1.service" 2>/dev/null
    echo "$1: $(systemctl show -P ExecMainStatus -P ActiveState -P SubState "transload-mirror@$1.service" | xargs)"
}
"""


@pytest.mark.parametrize("unit", sorted(UNITS.glob("*.service")), ids=lambda unit: unit.name)
def test_a_unit_is_hardly_exposed(unit: Path) -> None:
    command = [program("systemd-analyze"), "security", "--offline=true", "--no-pager", str(unit)]
    told = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True).stdout
    (level,) = re.findall(r"Overall exposure level for \S+: ([0-9.]+)", told)
    assert float(level) <= EXPOSURE, told


def test_the_units_are_verified_without_a_warning(tmp_path: Path) -> None:
    units = " ".join(path.name.replace("@", "@arcdata") for path in sorted(UNITS.glob("*@.*")))
    told = machine.run(tmp_path, f"systemd-analyze verify --man=no {units} 2>&1; echo $?", INSTALLED)
    assert told == "0\n"


def test_jobs_run_as_their_user_with_logins_that_only_root_reads(
    vendor: Registry, htpasswd_registry: Registry, tmp_path: Path
) -> None:
    target = htpasswd_registry.host
    settings(
        tmp_path,
        {
            **a_job("arcdata", vendor.host, f"{target}/systemd"),
            **a_job("denied", vendor.host, f"{target}/systemd"),
            **a_job("away", "127.0.0.1:9", f"{target}/systemd"),
            "arcdata.logins.json": logins(htpasswd_registry),
            "away.logins.json": logins(htpasswd_registry),
        },
    )
    told = machine.run(
        tmp_path,
        BEGIN
        + """\
job arcdata
cp /var/lib/transload/arcdata/report.json /var/cache/transload/arcdata.prom /proof
journalctl -o export -u transload-mirror@arcdata.service | grep -a ^_SYSTEMD_INVOCATION_ID | sort -u >/proof/invocation
job arcdata
job denied
job away
cd /var/lib/transload
stat -c '%U %a %n' /etc/transload/arcdata.logins.json arcdata arcdata/report.json /var/cache/transload/arcdata.prom
systemctl start transload-mirror@arcdata.timer
systemctl is-active transload-mirror@arcdata.timer
systemctl show -P Persistent transload-mirror@arcdata.timer
systemctl list-timers --no-legend 'transload-*' | grep -c 'transload-mirror@arcdata.service'
""",
        INSTALLED,
    )
    assert told.splitlines() == [
        "arcdata: 0 inactive dead",
        "arcdata: 0 inactive dead",
        "denied: 3 failed failed",
        "away: 5 activating auto-restart",
        "root 600 /etc/transload/arcdata.logins.json",
        "transload 750 arcdata",
        "transload 640 arcdata/report.json",
        "transload 644 /var/cache/transload/arcdata.prom",
        "active",
        "yes",
        "1",
    ]
    run = json.loads((tmp_path / "report.json").read_text())["run_id"]
    assert (tmp_path / "invocation").read_text() == f"_SYSTEMD_INVOCATION_ID={run}\n"
    assert f'run_id="{run}"' in (tmp_path / "arcdata.prom").read_text()
    with store_at(htpasswd_registry, htpasswd_registry.user) as store:
        assert {f"systemd/arcdata/{name}" for name in IMAGES[:3]} <= set(store.repositories())


def test_a_job_that_is_stopped_has_not_failed(vendor: Registry, registry: Registry, tmp_path: Path) -> None:
    job = a_job("slow", vendor.host, f"{registry.host}/stopped")
    settings(tmp_path, job | {"slow.env": job["slow.env"] + "TRANSLOAD_LIMIT_RATE=source=1kB/s\n"})
    told = machine.run(
        tmp_path,
        BEGIN
        + """\
systemctl start --no-block transload-mirror@slow.service
until journalctl -u transload-mirror@slow.service | grep -q content:; do sleep 0.1; done
systemctl stop transload-mirror@slow.service
systemctl is-failed transload-mirror@slow.service
journalctl -u transload-mirror@slow.service
""",
        INSTALLED,
    )
    assert told.splitlines()[0] == "inactive", told
    assert "interrupted: 3 not finished" in told


def test_a_folder_is_served_with_tls(tmp_path: Path) -> None:
    certificates = write_certificates(tmp_path / "certs")
    pem = "".join((certificates / name).read_text() for name in ("server.cert", "server.key"))
    settings(
        tmp_path, {"shop.serve.env": "STORE=oci:/srv/images\nTRANSLOAD_LISTEN=127.0.0.1:0\n", "shop.serve.pem": pem}
    )
    fill(LayoutStore(tmp_path / "images", create=True), image("an image"), "acme/app", "1.0")
    told = machine.run(
        tmp_path,
        BEGIN
        + """\
systemctl start transload-serve@shop.service
until host=$(journalctl -u transload-serve@shop.service | grep -o '127.0.0.1:[0-9]*'); do
    systemctl is-active --quiet transload-serve@shop.service || { journalctl; exit 1; }
    sleep 0.1
done
TRANSLOAD_STATE_DIR=/proof/state /opt/transload/bin/transload mirror "$host/acme/app:1.0" --to oci:/proof/copy \
    --ca-file /proof/certs/ca.crt --quiet
systemctl stop transload-serve@shop.service
systemctl show -P ActiveState -P ExecMainStatus transload-serve@shop.service
""",
        INSTALLED | {"/srv/images": tmp_path / "images"},
    )
    assert told.splitlines()[-2:] == ["0", "inactive"], told
    assert list(LayoutStore(tmp_path / "copy").repositories()) == ["acme/app"]


def settings(folder: Path, files: Mapping[str, str]) -> None:
    """What root puts into /etc/transload."""
    (folder / "etc").mkdir(exist_ok=True)
    for name, text in files.items():
        path = folder / "etc" / name
        path.write_text(text)
        path.chmod(0o600 if name.endswith((".json", ".pem")) else 0o644)


def a_job(name: str, source: str, target: str) -> dict[str, str]:
    """The two files of a job."""
    images = [f"{source}/arcdata/{image}:{NEW}" for image in IMAGES[:3]]
    return {
        f"{name}.yaml": json.dumps({"kind": "ImageSet", "version": 1, "images": images}),  # JSON is YAML
        f"{name}.env": f"TRANSLOAD_TO={target}\n",
    }


def logins(registry: Registry) -> str:
    """The file that `podman login --authfile` writes."""
    auth = base64.b64encode(str(registry.user).encode()).decode()
    return json.dumps({"auths": {registry.host: {"auth": auth}}})
