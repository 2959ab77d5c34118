"""The models, one a module; each fits to vectors, item-item weights or both."""
