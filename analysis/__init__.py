"""What a sweep shows: tables from the tracking store, fronts, claims, figures, the report. Never imports torch."""
