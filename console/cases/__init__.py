"""The files of investigations, under /console/cases."""
