"""From layouts and tables to things people keep: figure files, values, pages."""
