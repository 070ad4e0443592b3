"""Campaigns with prizes: the wizard that plans one, and the pages of its life after."""
