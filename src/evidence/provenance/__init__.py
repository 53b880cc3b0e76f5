"""Where every printed number comes from: its value, method and source rows."""
