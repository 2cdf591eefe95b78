"""AnalysisService: importing the modules registers their handlers."""
