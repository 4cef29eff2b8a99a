"""Templates that nobody rendered."""

from transload.discovery.finding import Finding, Question, Unread
from transload.discovery.kinds import read_file

TEMPLATE = b"""kind: Service
---
{{- range .Values.workers }}
kind: Deployment
spec:
  containers:
    - name: a
      image: "{{ .image }}"
    - image: quay.io/a/b:1  # a comment
{{- end }}
"""


def test_lines_that_name_images_are_questions_and_the_template_is_unread() -> None:
    found = list(read_file(TEMPLATE, "a.yaml"))[1:]
    assert [type(item) for item in found] == [Question, Finding, Unread]
    assert [str(item.place) for item in found] == ["a.yaml:8", "a.yaml:9", "a.yaml:2"]
    assert isinstance(found[1], Finding)
    assert (found[1].text, found[1].sureness) == ("quay.io/a/b:1", "likely")
    assert isinstance(found[2], Unread)
    assert "not rendered" in found[2].reason
