"""The report on music: what is measured of which model, kept in records, compared with the paper's tables."""
