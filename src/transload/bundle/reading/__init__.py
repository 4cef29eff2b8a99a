"""Reading a bundle: opening it, proving it, serving it as a source of images."""
