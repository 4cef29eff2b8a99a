"""One plan by eight pods, then one that points the tags: a DAG for Airflow 2.10 or later.

It needs the provider apache-airflow-providers-cncf-kubernetes. The plan is in a registry:
    transload plan arcdata --to registry.local/arcdata --out oci://registry.local/plans/arcdata:1
Change IMAGE, PLAN and NAMESPACE. A task is tried again whatever its exit code is: what is at the target is not sent again.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow import DAG
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from kubernetes.client import models as k8s

IMAGE = "registry.local/tools/transload:0.1.0"
PLAN = "oci://registry.local/plans/arcdata:1"
NAMESPACE = "transload"
SHARES = 8

LOGINS = k8s.V1Volume(
    name="logins",
    secret=k8s.V1SecretVolumeSource(
        secret_name="transload-logins",
        optional=True,
        items=[k8s.V1KeyToPath(key=".dockerconfigjson", path="config.json")],
    ),
)
# Nothing in it is needed by another pod: what is at the target says how far a share is.
STATE = k8s.V1Volume(name="state", empty_dir=k8s.V1EmptyDirVolumeSource(size_limit="256Mi"))
TMP = k8s.V1Volume(name="tmp", empty_dir=k8s.V1EmptyDirVolumeSource(size_limit="64Mi"))

POD = {
    "namespace": NAMESPACE,
    "image": IMAGE,
    "cmds": ["/opt/transload/bin/transload"],
    "env_vars": {"TRANSLOAD_STATE_DIR": "/state/transload", "DOCKER_CONFIG": "/etc/transload/logins"},
    "volumes": [LOGINS, STATE, TMP],
    "volume_mounts": [
        k8s.V1VolumeMount(name="logins", mount_path="/etc/transload/logins", read_only=True),
        k8s.V1VolumeMount(name="state", mount_path="/state"),
        k8s.V1VolumeMount(name="tmp", mount_path="/tmp"),
    ],
    "security_context": k8s.V1PodSecurityContext(
        run_as_non_root=True,
        run_as_user=65532,
        run_as_group=65532,
        fs_group=65532,
        seccomp_profile=k8s.V1SeccompProfile(type="RuntimeDefault"),
    ),
    "container_security_context": k8s.V1SecurityContext(
        allow_privilege_escalation=False,
        read_only_root_filesystem=True,
        capabilities=k8s.V1Capabilities(drop=["ALL"]),
    ),
    "container_resources": k8s.V1ResourceRequirements(
        requests={"cpu": "250m", "memory": "128Mi"}, limits={"memory": "512Mi"}
    ),
    "automount_service_account_token": False,
    "retries": 5,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": True,
}

with DAG(
    "transload_shares",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    tags=["transload"],
):
    shares = KubernetesPodOperator.partial(task_id="share", **POD).expand(
        arguments=[["apply", PLAN, "--share", f"{number}/{SHARES}"] for number in range(1, SHARES + 1)]
    )
    finish = KubernetesPodOperator(task_id="finish", arguments=["apply", PLAN, "--finish", "--of", str(SHARES)], **POD)
    shares >> finish
