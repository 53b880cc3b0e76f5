"""Arrays in, arrays out: estimates and their intervals, without knowing what was studied."""
