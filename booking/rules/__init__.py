"""What holds for bookings, as pure functions of what is handed in: no storage, no clock, no framework."""
