"""What all kinds share that rewrite pods when the API server admits them."""

UNSAID = (
    "pods that run already keep their images until they are made anew",
    "static pods and the sandbox image of the nodes are not rewritten: give the nodes a mirror for those",
    "volumes that are images, and fields of custom resources, stay as they are",
)
"""What they cannot do."""
