"""What the clock asks for: finds what is due, plans reminders, accepts commands. Writes no billing state."""
