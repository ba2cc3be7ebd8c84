"""The endpoints of `/api/v1`, one file per resource. They check, ask `queries` or submit commands."""
