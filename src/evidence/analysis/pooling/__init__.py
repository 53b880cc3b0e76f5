"""Meta-analysis of one question: eligible studies, their effects, and the pooled estimate."""
