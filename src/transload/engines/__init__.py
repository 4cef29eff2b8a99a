"""Container engines of this machine: docker and podman by the API on their sockets, containerd by its program ctr."""
