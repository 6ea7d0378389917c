"""OAuth 2.0: renewal of access tokens."""
