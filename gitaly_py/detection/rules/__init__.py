"""The rules of detection: functions of paths, contents and the data files, without I/O of any other kind."""
