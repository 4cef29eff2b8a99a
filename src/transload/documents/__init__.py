"""Documents that come from outside, JSON and YAML: values that know their path, and errors that name it."""
