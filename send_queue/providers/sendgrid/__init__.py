"""SendGrid: mail over its API, version 3."""
