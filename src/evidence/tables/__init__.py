"""Tables for people: a frame with readable headers, and the HTML that shows it accessibly."""
