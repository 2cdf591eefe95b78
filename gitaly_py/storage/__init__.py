"""Where repositories live on disk: paths, locks, temporary areas, creation and removal."""
