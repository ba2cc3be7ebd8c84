"""The routes about halls, quotes and bookings. Mounted by the client API, which fills in `booking.doors`."""

from booking.router import bookings, halls, quotes

ROUTERS = (halls.router, quotes.router, bookings.router)
