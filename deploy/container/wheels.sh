#!/bin/sh
# Fills wheels/ for the Containerfile: transload with what it needs, and the sum of each file in requirements.txt.
#   ./wheels.sh transload-0.1.0-py3-none-any.whl        or a folder with the sources
# Run it with the Python of the image (same version, same kind of machine): some packages are built for one.
set -eu
wanted=$1
mkdir wheels
python3 -m pip wheel --wheel-dir wheels "transload[html,serve,sign,trust,sigstore] @ file://$(realpath "$wanted")"
cd wheels
sha256sum ./*.whl | while read -r sum file; do echo "$file --hash=sha256:$sum"; done >requirements.txt
