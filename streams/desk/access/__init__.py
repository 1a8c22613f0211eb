"""Who may use the desk: sign-in, sessions, roles, and what every answer's headers say."""
