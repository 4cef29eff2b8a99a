"""The product's verbs: turns settings into stores and requests; the packages below do the work."""
