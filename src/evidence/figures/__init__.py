"""Charts: `lay_out_x` decides what is drawn where, as data; `draw` turns a layout into a figure."""
