"""What is done by the clock. Finds what is due, accepts commands, plans reminders; changes no state itself."""
