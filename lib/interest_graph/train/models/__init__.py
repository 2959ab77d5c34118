"""The models, one a module: each gives vectors of users and items, item-item weights, or both."""
