"""The results of a sweep: tables from the tracking store, fronts, claims, figures, the report. Never imports torch."""
