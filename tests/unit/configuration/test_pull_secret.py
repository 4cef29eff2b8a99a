"""The Secret with which pods pull."""

import base64
import json

import pytest
import yaml

from transload.configuration import Configuration, Reach, Relocation, Wishes
from transload.configuration.kinds import KINDS
from transload.errors import UsageError
from transload.login import Login

LOGIN = Login("me", 'p:w"ä')


def written(
    registry: str = "registry.local:5000", login: Login = LOGIN, name: str | None = None, namespace: str | None = None
) -> Configuration:
    relocation = Relocation(registry=registry, reach=Reach(login=login))
    return KINDS["pull-secret"].write(relocation, Wishes(name=name, namespace=namespace))


def auths(configuration: Configuration) -> dict[str, dict[str, str]]:
    secret = yaml.safe_load(configuration.files[0].content)
    decoded: dict[str, dict[str, str]] = json.loads(base64.b64decode(secret["data"][".dockerconfigjson"]))["auths"]
    return decoded


@pytest.mark.parametrize(
    ("registry", "key"),
    [
        ("registry.local:5000", "registry.local:5000"),
        ("[fd00::1]:5000", "[fd00::1]:5000"),
        ("docker.io", "https://index.docker.io/v1/"),
    ],
)
def test_the_login_stands_under_the_host_as_clusters_write_it(registry: str, key: str) -> None:
    entry = auths(written(registry))[key]
    assert (entry["username"], entry["password"]) == ("me", 'p:w"ä')
    assert base64.b64decode(entry["auth"]).decode() == 'me:p:w"ä'


def test_it_is_for_its_owner_only_and_nothing_shows_the_password() -> None:
    configuration = written(name="pull", namespace="apps")
    assert [(str(file.path), file.secret) for file in configuration.files] == [("pull.yaml", True)]
    assert yaml.safe_load(configuration.files[0].content)["metadata"] == {"name": "pull", "namespace": "apps"}
    assert "p:w" not in "".join(configuration.notes)
    assert """-n apps -p '{"imagePullSecrets": [{"name": "pull"}]}'""" in "".join(configuration.notes)


@pytest.mark.parametrize(
    ("login", "reason"),
    [
        (Login(identity_token="secret"), "is a token"),
        (Login(registry_token="secret"), "is a token"),
        (Login("me"), "no password"),
        (Login("", "secret"), "no user name"),
        (Login("a:b", "secret"), "has a colon"),
    ],
)
def test_a_login_that_kubelet_cannot_use_is_refused(login: Login, reason: str) -> None:
    with pytest.raises(UsageError, match=reason) as caught:
        written(login=login)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", ["A", "a/b", "-a", "", "a..b", "a\n", "a" * 254])
def test_names_that_kubernetes_does_not_take(name: str) -> None:
    with pytest.raises(UsageError, match="name of a Kubernetes object"):
        written(name=name)


@pytest.mark.parametrize("namespace", ["a.b", "A", "", "a\n", "a" * 64])
def test_namespaces_that_kubernetes_does_not_take(namespace: str) -> None:
    with pytest.raises(UsageError, match="name of a namespace"):
        written(namespace=namespace)


def test_without_a_login_there_is_no_secret() -> None:
    assert KINDS["pull-secret"].needs == {"login"}
