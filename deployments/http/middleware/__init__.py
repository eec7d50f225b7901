"""What every request passes before its endpoint: access, bodies, admission, deadline, errors."""
