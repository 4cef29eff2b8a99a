"""Which proxy a request goes through."""

from __future__ import annotations

import pytest

from transload.errors import UsageError
from transload.net.address import Origin
from transload.net.proxies import bypasses, proxy_for
from transload.net.settings import NetSettings


@pytest.mark.parametrize(
    ("url", "no_proxy", "straight"),
    [
        ("https://reg.example.com", "example.com", True),
        ("https://reg.example.com", ".example.com", True),
        ("https://reg.example.com", "*.example.com", True),
        ("https://badexample.com", "example.com", False),
        ("https://reg.example.com", "other, reg.example.com:443", True),
        ("https://reg.example.com", "reg.example.com:5000", False),
        ("https://10.1.2.3", "10.0.0.0/8", True),
        ("https://11.1.2.3", "10.0.0.0/8", False),
        ("https://reg.example.com", "10.0.0.0/8 nonsense/99", False),
        ("https://[fd00::5]:5000", "[fd00::5]:5000", True),
        ("https://reg.example.com", "*", True),
        ("https://reg.example.com", "", False),
        ("https://reg.example.com", ",, .", False),
    ],
)
def test_exceptions_from_the_proxy(url: str, no_proxy: str, straight: bool) -> None:
    assert bypasses(Origin.of(url), no_proxy) is straight


def test_the_scheme_decides_and_all_is_for_the_rest() -> None:
    proxies = {"https": "http://p:1", "all": "http://q:2"}
    assert proxy_for(Origin.of("https://a.example"), proxies, "") == "http://p:1"
    assert proxy_for(Origin.of("http://a.example"), proxies, "") == "http://q:2"
    assert proxy_for(Origin.of("http://a.example"), {"https": "http://p:1"}, "") is None
    assert proxy_for(Origin.of("http://127.0.0.1:5000"), proxies, "") is None


def test_a_proxy_of_another_kind_is_refused() -> None:
    with pytest.raises(UsageError, match="not an http or https URL"):
        NetSettings(proxies={"all": "socks5://p:1"})
    assert "secret" not in repr(NetSettings(proxies={"all": "http://u:secret@p:1"}))
