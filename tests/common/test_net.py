import pytest
from django.test import RequestFactory, override_settings

from common.net import client_ip, ip_prefix


@pytest.mark.parametrize(
    ("address", "prefix"),
    [
        ("203.0.113.77", "203.0.113.0/24"), ("2001:db8:1:2fff::1", "2001:db8:1:2f00::/56"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"), ("", ""), ("nonsense", ""), ("203.0.113.77:80", ""),
    ],
)  # fmt: skip
def test_a_prefix_names_the_network(address: str, prefix: str) -> None:
    assert ip_prefix(address) == prefix


def test_forwarded_headers_are_believed_from_listed_proxies_only() -> None:
    request = RequestFactory().get("/", REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR="6.6.6.6, 203.0.113.9")

    assert client_ip(request) == "10.0.0.1"
    with override_settings(TRUSTED_PROXIES=["10.0.0.1"]):
        assert client_ip(request) == "203.0.113.9"
