"""HTTP as registries need it: pools, slots, one back-off per host, TLS by host, proxies, redirects, counting."""
