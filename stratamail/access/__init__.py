"""Who may come in: sign-in with throttling by delay, and the passwords behind it."""
