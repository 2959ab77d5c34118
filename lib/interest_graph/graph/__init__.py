"""The weighted interest graph: weigh, project, prune, understand."""
