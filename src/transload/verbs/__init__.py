"""The verbs of the library: one call each for what the command line does. `transload.copy`, `mirror`, `pack`, …"""
