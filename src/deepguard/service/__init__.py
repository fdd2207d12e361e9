"""The service: REST API, jobs that outlive every process, and the processes that do the work."""
