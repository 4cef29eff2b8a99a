"""The product's verbs: settings become stores and requests, floors below do the work."""
