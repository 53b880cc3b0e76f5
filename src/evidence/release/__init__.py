"""The archive of a version of a project, for a repository that gives it a DOI."""
