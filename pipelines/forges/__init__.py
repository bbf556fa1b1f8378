"""GitLab and GitHub: how they are told what was done."""
