"""SMTP: mail to a server of the user."""
